package config

import (
	"cmp"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"mpp"
)

// fault is what is wrong with a value and what to do about it.
type fault struct{ text, hint string }

func faultf(hint, format string, args ...any) *fault {
	return &fault{text: fmt.Sprintf(format, args...), hint: hint}
}

// value binds a key to the field that it sets.
type value interface {
	// set takes a decoded TOML value; on a fault the field keeps what it had.
	set(raw any) *fault
	// check says what is wrong with what the field holds now, nil when nothing is.
	check() *fault
	// toml writes what the field holds as TOML.
	toml() string
	// kind names what kind of value is wanted, allowed what values; allowed may be empty.
	kind() string
	allowed() string
}

// show prints a TOML value that is of the wrong kind.
func show(raw any) string {
	switch v := raw.(type) {
	case string:
		return strconv.Quote(v)
	case map[string]any, []map[string]any:
		return "a table"
	case []any:
		return "an array"
	default:
		return fmt.Sprint(v)
	}
}

// duration is a time span, as text with a unit.
type duration struct {
	p *time.Duration
	// off says that 0 is allowed.
	off bool
	// least is the shortest allowed; 0 means minDuration.
	least time.Duration
}

const (
	minDuration = 10 * time.Millisecond
	minInterval = 20 * time.Millisecond // leaves room for a time-out below it
	maxDuration = 30 * 24 * time.Hour
)

func (d duration) set(raw any) *fault {
	text, isText := raw.(string)
	if !isText {
		switch raw.(type) {
		case int64, float64:
			if strings.HasPrefix(fmt.Sprint(raw), "-") {
				return faultf(`write a positive number with a unit in quotes, such as "5s"`, "%v is negative", raw)
			}
			return faultf(fmt.Sprintf(`write "%vs" for seconds or "%vms" for milliseconds, in quotes`, raw, raw), "%v has no unit", raw)
		}
		return faultf(`write a number with a unit in quotes, such as "5s"`, "%s is not a duration", show(raw))
	}
	if text != "" && text != "0" && strings.Trim(text, "0123456789.-") == "" {
		return faultf(fmt.Sprintf(`write "%ss" for seconds or "%sms" for milliseconds`, text, text), "%q has no unit", text)
	}
	parsed, err := time.ParseDuration(text)
	if err != nil {
		return faultf(`write a number and a unit (ms, s, m or h), such as "500ms", "5s" or "10m"`, "%q is not a duration", text)
	}
	*d.p = parsed
	return nil
}

func (d duration) check() *fault {
	switch v := *d.p; {
	case v < 0:
		return faultf(d.lowHint(), "%s is negative", durationText(v))
	case v == 0 && d.off:
		return nil
	case v < d.shortest():
		return faultf(d.lowHint(), "%s is too short", durationText(v))
	case v > maxDuration:
		return faultf("write at most "+strconv.Quote(durationText(maxDuration)), "%s is too long", durationText(v))
	default:
		return nil
	}
}

func (d duration) shortest() time.Duration { return cmp.Or(d.least, minDuration) }

func (d duration) lowHint() string {
	if d.off {
		return fmt.Sprintf(`write "0s" for off, or at least %q`, d.shortest())
	}
	return fmt.Sprintf("write at least %q", d.shortest())
}

func (d duration) toml() string { return strconv.Quote(durationText(*d.p)) }
func (d duration) kind() string { return "duration" }
func (d duration) allowed() string {
	if d.off {
		return fmt.Sprintf("`\"0s\"` (off), or %s to %s", d.shortest(), durationText(maxDuration))
	}
	return fmt.Sprintf("%s to %s", d.shortest(), durationText(maxDuration))
}

// durationText is Duration.String without the trailing zero units: "15m", not "15m0s".
func durationText(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// number is a whole number between two limits.
type number struct {
	p        *int
	min, max int
}

func (n number) set(raw any) *fault {
	whole, ok := raw.(int64)
	if !ok {
		return faultf(fmt.Sprintf("write a number from %d to %d, without quotes", n.min, n.max), "%s is not a whole number", show(raw))
	}
	if int64(int(whole)) != whole {
		return faultf(fmt.Sprintf("write a number from %d to %d", n.min, n.max), "%d is too large", whole)
	}
	*n.p = int(whole)
	return nil
}

func (n number) check() *fault {
	if *n.p < n.min || *n.p > n.max {
		return faultf(fmt.Sprintf("write a number from %d to %d", n.min, n.max), "%d is out of range", *n.p)
	}
	return nil
}

func (n number) toml() string    { return strconv.Itoa(*n.p) }
func (n number) kind() string    { return "whole number" }
func (n number) allowed() string { return fmt.Sprintf("%d to %d", n.min, n.max) }

// boolean is true or false.
type boolean struct{ p *bool }

func (b boolean) set(raw any) *fault {
	v, ok := raw.(bool)
	if !ok { // what stands there is not shown: it may be a password, put where it does not belong
		return faultf("write true or false, without quotes", "it is neither true nor false")
	}
	*b.p = v
	return nil
}

func (b boolean) check() *fault   { return nil }
func (b boolean) toml() string    { return strconv.FormatBool(*b.p) }
func (b boolean) kind() string    { return "true or false" }
func (b boolean) allowed() string { return "`true`, `false`" }

// word is one of a few words.
type word[T ~string] struct {
	p     *T
	words []T
	// later are words of other releases, which get an answer of their own.
	later []T
}

func wordOf[T ~string](p *T, words ...T) word[T] { return word[T]{p: p, words: words} }

func (w word[T]) set(raw any) *fault {
	text, ok := raw.(string)
	if !ok {
		return faultf("write "+w.list(), "%s is not a word in quotes", show(raw))
	}
	*w.p = T(text)
	return nil
}

func (w word[T]) list() string {
	quoted := make([]string, len(w.words))
	for i, one := range w.words {
		quoted[i] = strconv.Quote(string(one))
	}
	return orList(quoted)
}

func (w word[T]) check() *fault {
	if slices.Contains(w.words, *w.p) {
		return nil
	}
	if slices.Contains(w.later, *w.p) {
		return faultf("write "+w.list(), "%q is not in this version", *w.p)
	}
	names := make([]string, len(w.words))
	for i, one := range w.words {
		names[i] = string(one)
	}
	hint := "write " + w.list()
	if near := nearest(string(*w.p), names); near != "" && len(names) > 1 {
		hint = fmt.Sprintf("did you mean %q? Allowed: %s", near, w.list())
	}
	return faultf(hint, "%q is not known here", *w.p)
}

func (w word[T]) toml() string { return strconv.Quote(string(*w.p)) }
func (w word[T]) kind() string { return "word" }
func (w word[T]) allowed() string {
	quoted := make([]string, len(w.words))
	for i, one := range w.words {
		quoted[i] = "`" + strconv.Quote(string(one)) + "`"
	}
	return strings.Join(quoted, ", ")
}

// statusWord is a status, as its word.
type statusWord struct{ p *mpp.Status }

func (s statusWord) set(raw any) *fault {
	text, ok := raw.(string)
	var w mpp.Status
	if ok && w.UnmarshalText([]byte(text)) == nil && w != mpp.OK {
		*s.p = w
		return nil
	}
	hint := `write "INFO", "WARN", "CRITICAL" or "FAIL"`
	if near := nearest(text, []string{"INFO", "WARN", "CRITICAL", "FAIL"}); near != "" {
		hint = fmt.Sprintf(`did you mean %q? Allowed: "INFO", "WARN", "CRITICAL" or "FAIL"`, near)
	}
	return faultf(hint, "%s is not known here", show(raw))
}

func (s statusWord) check() *fault {
	if *s.p == mpp.OK || *s.p > mpp.Fail {
		return faultf(`write "INFO", "WARN", "CRITICAL" or "FAIL"`, "%s is not known here", *s.p)
	}
	return nil
}

func (s statusWord) toml() string    { return strconv.Quote(s.p.String()) }
func (s statusWord) kind() string    { return "word" }
func (s statusWord) allowed() string { return "`\"INFO\"`, `\"WARN\"`, `\"CRITICAL\"`, `\"FAIL\"`" }

// text is any text of one line.
type text struct {
	p *string
	// needed refuses an empty text.
	needed bool
	// lines allows line ends, for SQL.
	lines bool
}

const maxText = 4096

func (t text) set(raw any) *fault {
	v, ok := raw.(string)
	if !ok {
		return faultf("write it in quotes", "%s is not text", show(raw))
	}
	*t.p = v
	return nil
}

func (t text) check() *fault {
	v := *t.p
	if t.needed && strings.TrimSpace(v) == "" {
		return faultf("write a value", "it is empty")
	}
	if len(v) > maxText {
		return faultf(fmt.Sprintf("write at most %d bytes", maxText), "it is too long")
	}
	control := func(r rune) bool {
		if t.lines && (r == '\n' || r == '\r' || r == '\t') {
			return false
		}
		return r < ' ' || r == 0x7f
	}
	if strings.ContainsFunc(v, control) {
		return faultf("remove the control characters", "%q holds control characters", v)
	}
	return nil
}

func (t text) toml() string    { return strconv.Quote(*t.p) }
func (t text) kind() string    { return "text" }
func (t text) allowed() string { return "" }

// file is a path; a relative one counts from the folder of the file that sets it.
type file struct{ text }

func (f file) rebase(folder string) {
	if *f.p != "" && !filepath.IsAbs(*f.p) {
		*f.p = filepath.Join(folder, *f.p)
	}
}

func (f file) kind() string { return "path" }

// mode is a file mode in octal digits.
type mode struct{ p *fs.FileMode }

func (m mode) set(raw any) *fault {
	hint := `write four octal digits in quotes, such as "0660"`
	v, ok := raw.(string)
	if !ok {
		return faultf(hint, "%s is not text", show(raw))
	}
	bits, err := strconv.ParseUint(v, 8, 32)
	if err != nil || len(v) < 3 || len(v) > 4 {
		return faultf(hint, "%q is not a file mode", v)
	}
	*m.p = fs.FileMode(bits)
	return nil
}

func (m mode) check() *fault {
	if *m.p&^fs.ModePerm != 0 {
		return faultf(`write four octal digits, such as "0660"`, "%#o holds more than permissions", uint32(*m.p))
	}
	if *m.p&0o600 != 0o600 {
		return faultf(`write at least "0600"`, "with %s the daemon's own user cannot use it", m.toml())
	}
	return nil
}

func (m mode) toml() string    { return fmt.Sprintf("%q", fmt.Sprintf("%04o", uint32(*m.p))) }
func (m mode) kind() string    { return "file mode" }
func (m mode) allowed() string { return "`\"0600\"` to `\"0777\"`" }

// orList joins words as people do: a, b or c.
func orList(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	last := len(words) - 1
	return strings.Join(words[:last], ", ") + " or " + words[last]
}
