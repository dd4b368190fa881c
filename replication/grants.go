package replication

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
)

// Grants is what an account may do. It holds the names of privileges and of what they are
// for, and nothing else of what SHOW GRANTS prints: MariaDB prints a password hash there.
type Grants struct {
	scopes []scope
	// roles are granted, whether active or not.
	roles []string
}

// scope is one GRANT or REVOKE row: privileges on an object.
type scope struct {
	schema, table string // "*" for any
	privileges    []string
	revoked       bool // MySQL's partial revoke
}

// ReadGrants reads the rows of GrantsSQL. The error never holds a row.
func ReadGrants(rows driver.Rows) (Grants, error) {
	if err := wantColumns(rows, 1); err != nil {
		return Grants{}, fmt.Errorf("read grants: %w", err)
	}
	var g Grants
	dest := make([]driver.Value, 1)
	if err := eachRow(rows, dest, func() { g.add(string(text(dest[0]))) }); err != nil {
		return Grants{}, fmt.Errorf("read grants: %w", err)
	}
	return g, nil
}

// ParseGrants reads grants from the texts of the rows.
func ParseGrants(rows []string) Grants {
	var g Grants
	for _, row := range rows {
		g.add(row)
	}
	return g
}

// add takes one row; a row that says nothing about privileges (PROXY, SET DEFAULT ROLE, a
// kind of object unknown here) adds nothing.
func (g *Grants) add(row string) {
	verb, rest, _ := strings.Cut(strings.TrimSpace(row), " ")
	end := " TO "
	revoked := strings.EqualFold(verb, "REVOKE")
	switch {
	case revoked:
		end = " FROM "
	case !strings.EqualFold(verb, "GRANT"):
		return
	}
	// From the end word on comes the account, and on MariaDB its password hash: not kept.
	what, found := cutWord(rest, end)
	if !found {
		return
	}
	privileges, object := splitOn(what)
	if object == "" {
		if !revoked {
			g.roles = append(g.roles, splitList(what)...)
		}
		return
	}
	s := scope{revoked: revoked}
	var ok bool
	if s.schema, s.table, ok = parseObject(object); !ok {
		return
	}
	for _, p := range splitList(privileges) {
		if name := canonical(p); name != "" {
			s.privileges = append(s.privileges, name)
		}
	}
	g.scopes = append(g.scopes, s)
}

// cutWord returns what stands before the first word that is outside quotes and parentheses.
func cutWord(s, word string) (before string, found bool) {
	i := indexOutside(s, word)
	if i < 0 {
		return "", false
	}
	return s[:i], true
}

// splitOn splits "SELECT, INSERT ON `db`.*" at its ON; object is empty when there is none.
func splitOn(s string) (privileges, object string) {
	i := indexOutside(s, " ON ")
	if i < 0 {
		return s, ""
	}
	return s[:i], strings.TrimSpace(s[i+len(" ON "):])
}

// indexOutside finds word in s where s is outside quotes and parentheses, or returns -1.
func indexOutside(s, word string) int {
	var quote byte
	depth := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		switch {
		case quote != 0:
			if c == quote {
				quote = 0
			} else if c == '\\' && quote != '`' {
				i++
			}
		case c == '`' || c == '\'' || c == '"':
			quote = c
		case c == '(':
			depth++
		case c == ')' && depth > 0:
			depth--
		case depth == 0 && len(s)-i >= len(word) && strings.EqualFold(s[i:i+len(word)], word):
			return i
		}
	}
	return -1
}

// splitList splits at the commas outside quotes and parentheses.
func splitList(s string) []string {
	var list []string
	for {
		i := indexOutside(s, ",")
		if i < 0 {
			break
		}
		list = append(list, strings.TrimSpace(s[:i]))
		s = s[i+1:]
	}
	if s = strings.TrimSpace(s); s != "" {
		list = append(list, s)
	}
	return list
}

// parseObject reads "*.*", "`db`.*" or "`db`.`table`"; ok is false for a routine or for the
// account of a PROXY.
func parseObject(s string) (schema, table string, ok bool) {
	if word, rest, found := strings.Cut(s, " "); found && strings.EqualFold(word, "TABLE") {
		s = strings.TrimSpace(rest)
	}
	i := indexOutside(s, ".")
	if i < 0 || indexOutside(s, " ") >= 0 || indexOutside(s, "@") >= 0 {
		return "", "", false
	}
	return unquote(s[:i]), unquote(s[i+1:]), true
}

// unquote strips the quotes of an identifier.
func unquote(s string) string {
	s = strings.TrimSpace(s)
	if len(s) < 2 {
		return s
	}
	q := s[:1]
	if (q == "`" || q == "'" || q == `"`) && s[len(s)-1:] == q {
		return strings.ReplaceAll(s[1:len(s)-1], q+q, q)
	}
	return s
}

// all stands for every privilege.
const all = "ALL PRIVILEGES"

// canonical returns the one name of a privilege that has several, in upper case; it is empty
// for one on some columns only, which is never enough here.
func canonical(privilege string) string {
	p := strings.ToUpper(strings.Join(strings.Fields(privilege), " "))
	if strings.Contains(p, "(") {
		return ""
	}
	switch p {
	case "ALL":
		return all
	case "BINLOG MONITOR": // MariaDB's name since 10.5
		return "REPLICATION CLIENT"
	case "REPLICATION REPLICA":
		return "REPLICATION SLAVE"
	case "REPLICA MONITOR":
		return "SLAVE MONITOR"
	case "REPLICATION REPLICA ADMIN":
		return "REPLICATION SLAVE ADMIN"
	default:
		return p
	}
}

// Has reports whether the account has the privilege on a table. Empty schema and table ask
// for the privilege on everything, which is what server-wide privileges need.
func (g Grants) Has(privilege, schema, table string) bool {
	want := canonical(privilege)
	for _, s := range g.scopes {
		if !s.revoked || schema == "" || !s.covers(schema, table) {
			continue
		}
		if slices.Contains(s.privileges, want) || slices.Contains(s.privileges, all) {
			return g.hasBelow(want, schema, table)
		}
	}
	return g.has(want, schema, table)
}

func (g Grants) has(want, schema, table string) bool {
	for _, s := range g.scopes {
		if !s.revoked && s.covers(schema, table) && s.grants(want) {
			return true
		}
	}
	return false
}

// hasBelow is has without the grants on everything: a partial revoke took those away.
func (g Grants) hasBelow(want, schema, table string) bool {
	for _, s := range g.scopes {
		if !s.revoked && s.schema != "*" && s.covers(schema, table) && s.grants(want) {
			return true
		}
	}
	return false
}

func (s scope) grants(want string) bool {
	return slices.Contains(s.privileges, want) || slices.Contains(s.privileges, all)
}

// covers reports whether a table is within the scope.
func (s scope) covers(schema, table string) bool {
	if s.schema == "*" {
		return s.table == "*"
	}
	if schema == "" {
		return false
	}
	if s.table == "*" {
		return like(s.schema, schema)
	}
	return strings.EqualFold(s.schema, schema) && strings.EqualFold(s.table, table)
}

// like matches a schema against the pattern of a grant: % and _ are wild unless escaped.
func like(pattern, s string) bool {
	for pattern != "" {
		switch c := pattern[0]; {
		case c == '%':
			for i := 0; i <= len(s); i++ {
				if like(pattern[1:], s[i:]) {
					return true
				}
			}
			return false
		case c == '\\' && len(pattern) > 1:
			pattern = pattern[1:]
			fallthrough
		case c != '_':
			if s == "" || !strings.EqualFold(s[:1], pattern[:1]) {
				return false
			}
		case s == "":
			return false
		}
		pattern, s = pattern[1:], s[1:]
	}
	return s == ""
}
