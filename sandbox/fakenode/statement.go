package fakenode

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Error is an error of the server.
type Error struct {
	Number  uint16
	State   string // SQLSTATE; empty means HY000
	Message string
}

// Error returns number and message.
func (e *Error) Error() string { return fmt.Sprintf("error %d: %s", e.Number, e.Message) }

func (e *Error) state() string {
	if len(e.State) == 5 {
		return e.State
	}
	return "HY000"
}

// Result is the answer to one statement: an error if Err is set, else rows if there are
// Columns, else just "done".
type Result struct {
	Columns []string
	// Rows hold strings, ints or nil for NULL, one for each column.
	Rows [][]any
	Err  *Error
	// Delay is how long the server takes to answer; 0 means not at all.
	Delay time.Duration
}

// numeric reports whether a column holds ints.
func (r *Result) numeric(column int) bool {
	for _, row := range r.Rows {
		switch row[column].(type) {
		case nil:
		case int:
			return true
		default:
			return false
		}
	}
	return false
}

// Answer is the result of every statement that starts with Prefix, whatever the case of its
// letters.
type Answer struct {
	Prefix string
	Result
}

// book is what a server knows: it turns statements into results.
type book struct {
	variables map[string]any
	status    map[string]any
	answers   []Answer
}

// answer finds the result of one statement. What was given as an answer goes before what is
// made of variables, and a longer prefix before a shorter one.
func (b *book) answer(sql string) Result {
	best := -1
	for i, a := range b.answers {
		if hasPrefix(sql, a.Prefix) && (best < 0 || len(a.Prefix) >= len(b.answers[best].Prefix)) {
			best = i
		}
	}
	switch {
	case best >= 0:
		return b.answers[best].Result
	case hasPrefix(sql, "SELECT @@"):
		return b.selectVariables(sql[len("SELECT "):])
	case hasPrefix(sql, "SHOW GLOBAL VARIABLES"):
		return show(b.variables, sql)
	case hasPrefix(sql, "SHOW GLOBAL STATUS"):
		return show(b.status, sql)
	default:
		near := sql
		if len(near) > 60 {
			near = near[:60]
		}
		return Result{Err: &Error{1064, "42000", "You have an error in your SQL syntax; this fake does not know: " + near}}
	}
}

// selectVariables answers "@@global.a, @@global.b".
func (b *book) selectVariables(list string) Result {
	var r Result
	var row []any
	for column := range strings.SplitSeq(list, ",") {
		column = strings.TrimSpace(column)
		name := strings.ToLower(column[strings.LastIndexAny(column, "@.")+1:])
		v, known := b.variables[name]
		if !known {
			return Result{Err: &Error{1193, "HY000", "Unknown system variable '" + name + "'"}}
		}
		r.Columns, row = append(r.Columns, column), append(row, asSelected(v))
	}
	r.Rows = [][]any{row}
	return r
}

// asSelected returns a variable as SELECT shows it: switches as numbers.
func asSelected(v any) any {
	switch v {
	case "ON":
		return 1
	case "OFF":
		return 0
	default:
		return v
	}
}

// show answers SHOW ... LIKE 'name' and SHOW ... WHERE Variable_name IN ('name', ...): each
// name in quotes is one row, if there is such a variable; one that ends with % is all that start
// so, by name. All values are text, as in SHOW.
func show(values map[string]any, sql string) Result {
	r := Result{Columns: []string{"Variable_name", "Value"}}
	for i, name := range strings.Split(sql, "'") {
		if i%2 == 0 {
			continue
		}
		if start, pattern := strings.CutSuffix(strings.ToLower(name), "%"); pattern {
			for _, name := range slices.Sorted(maps.Keys(values)) {
				if strings.HasPrefix(name, start) {
					r.Rows = append(r.Rows, []any{name, fmt.Sprint(values[name])})
				}
			}
		} else if v, known := values[start]; known {
			r.Rows = append(r.Rows, []any{name, fmt.Sprint(v)})
		}
	}
	return r
}

func hasPrefix(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// split returns the statements of a text: it cuts at semicolons outside quotes.
func split(text string) []string {
	var list []string
	var quote byte
	start := 0
	add := func(end int) {
		if s := strings.TrimSpace(text[start:end]); s != "" {
			list = append(list, s)
		}
		start = end + 1
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0 && c == '\\' && quote != '`':
			i++
		case quote != 0 && c == quote:
			quote = 0
		case quote != 0:
		case c == '\'' || c == '"' || c == '`':
			quote = c
		case c == ';':
			add(i)
		}
	}
	if start < len(text) {
		add(len(text))
	}
	return list
}

// reply is the encoded answer to a whole text of statements.
type reply struct {
	packets []byte
	delay   time.Duration
}

// encode answers a text of statements; the first error ends it.
func (b *book) encode(text string) reply {
	statements := split(text)
	w := writer{sequence: 1}
	var delay time.Duration
	if len(statements) == 0 {
		w.problem(&Error{1065, "42000", "Query was empty"})
	}
	for i, sql := range statements {
		r := b.answer(sql)
		delay += r.Delay
		status := uint16(statusAutocommit)
		if i+1 < len(statements) {
			status |= statusMoreResults
		}
		switch {
		case r.Err != nil:
			w.problem(r.Err)
			return reply{w.out, delay}
		case len(r.Columns) == 0:
			w.ok(status)
		default:
			w.rows(&r, status)
		}
	}
	return reply{w.out, delay}
}
