package config

import "strings"

// login is what an option file of the mysql client says.
type login struct {
	user     string
	password string
	// given says that a password stands there, even an empty one.
	given bool
}

// parseMyCnf reads user and password from the groups [client] and [mpp]; the last one of
// each counts, as for the mysql client.
func parseMyCnf(content string) login {
	var l login
	ours := false
	for line := range strings.Lines(content) {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' || line[0] == ';' || line[0] == '!' {
			continue
		}
		if line[0] == '[' {
			group, _, _ := strings.Cut(line[1:], "]")
			group = strings.TrimSpace(group)
			ours = group == "client" || group == "mpp"
			continue
		}
		key, rest, found := strings.Cut(line, "=")
		if !ours {
			continue
		}
		switch strings.ReplaceAll(strings.TrimSpace(key), "-", "_") {
		case "user":
			l.user = optionValue(rest)
		case "password":
			l.password, l.given = optionValue(rest), found
		}
	}
	return l
}

// optionValue takes the quotes, escapes and the comment off a value, as the mysql client
// does: # starts a comment outside of quotes only.
func optionValue(text string) string {
	text = strings.TrimSpace(uncomment(text))
	if n := len(text); n >= 2 && (text[0] == '"' || text[0] == '\'') && text[n-1] == text[0] {
		text = text[1 : n-1]
	}
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] != '\\' || i+1 == len(text) {
			b.WriteByte(text[i])
			continue
		}
		i++
		if at := strings.IndexByte(`btnrs\'"`, text[i]); at >= 0 {
			b.WriteByte("\b\t\n\r \\'\""[at])
		} else {
			b.WriteByte('\\')
			b.WriteByte(text[i])
		}
	}
	return b.String()
}

func uncomment(text string) string {
	var quote byte
	escaped := false
	for i := range len(text) {
		switch c := text[i]; {
		case escaped:
			escaped = false
		case c == '\\' && quote != 0:
			escaped = true
		case quote == 0 && (c == '"' || c == '\''):
			quote = c
		case c == quote:
			quote = 0
		case c == '#' && quote == 0:
			return text[:i]
		}
	}
	return text
}
