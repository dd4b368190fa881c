package checks

import (
	"cmp"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"mpp"
)

// Compare says how a custom check compares what it got with what was expected.
type Compare string

// The comparisons. Those of size take both sides for numbers. The empty one is CompareEqual.
const (
	CompareEqual        Compare = "="
	CompareNotEqual     Compare = "!="
	CompareLess         Compare = "<"
	CompareLessEqual    Compare = "<="
	CompareGreater      Compare = ">"
	CompareGreaterEqual Compare = ">="
	CompareContains     Compare = "contains"
	// CompareRow wants a row, whatever is in it; CompareNoRow wants none.
	CompareRow   Compare = "row"
	CompareNoRow Compare = "no-row"
)

// Custom is a check in SQL: the first column of the first row is compared with Expect. NULL is
// shown as NULL, and equals that word.
type Custom struct {
	// Name is shown as "custom:NAME".
	Name string
	SQL  string
	// Expect is what is compared with; CompareRow and CompareNoRow do without.
	Expect  string
	Compare Compare
	// Class and Status say what a mismatch is: empty and 0 mean reach and FAIL. An error of
	// the statement is one, unless it is about this account, which is CRITICAL.
	Class  mpp.Class
	Status mpp.Status
	// Limit bounds the statement.
	Limit time.Duration
}

func (c *Custom) validate() error {
	bad := func(format string, args ...any) error {
		return fmt.Errorf("custom check %q: "+format, append([]any{c.Name}, args...)...)
	}
	switch {
	case c.Name == "":
		return bad("no name")
	case strings.TrimSpace(c.SQL) == "":
		return bad("no SQL")
	case c.Limit <= 0:
		return bad("limit: %s; want more than 0", c.Limit)
	case c.Status > mpp.Fail:
		return bad("status %d is none of INFO, WARN, CRITICAL, FAIL", c.Status)
	case c.Class != "" && c.Class != mpp.Reach && c.Class != mpp.Replica:
		return bad("class %q is neither reach nor replica", c.Class)
	}
	switch c.Compare {
	case "", CompareEqual, CompareNotEqual, CompareContains, CompareRow, CompareNoRow:
		return nil
	case CompareLess, CompareLessEqual, CompareGreater, CompareGreaterEqual:
		if _, err := strconv.ParseFloat(c.Expect, 64); err != nil {
			return bad("expect %q is not a number, which %s needs", c.Expect, c.Compare)
		}
		return nil
	default:
		return bad("compare %q is none of = != < <= > >= contains row no-row", c.Compare)
	}
}

// customValue is what a custom check got.
type customValue struct {
	row  bool
	text string
}

// maxValue bounds what is kept of a value, in bytes.
const maxValue = 1024

// readCustom reads the first column of the first row and drops the rest.
func readCustom(rows driver.Rows) (customValue, error) {
	dest := make([]driver.Value, 1)
	if err := rows.Next(dest); errors.Is(err, io.EOF) {
		return customValue{}, nil
	} else if err != nil {
		return customValue{}, err
	}
	v := customValue{row: true}
	switch got := dest[0].(type) {
	case nil:
		v.text = "NULL"
	case []byte:
		v.text = string(got[:min(len(got), maxValue)])
	default:
		v.text = fmt.Sprint(got)
	}
	return v, drain(rows)
}

// addCustom adds the findings of the custom checks that were asked.
func (p *Prober) addCustom(r *round, add func(mpp.CheckResult)) {
	for i := range r.steps {
		if r.steps[i].kind != stepCustom || !r.results[i].asked {
			continue
		}
		c := &p.o.Custom[r.steps[i].custom]
		f := c.judge(r.customs[r.steps[i].custom], r.results[i].err)
		class := c.Class
		if class == "" {
			class = mpp.Reach
		}
		add(f.result("custom:"+c.Name, class, r.results[i].took))
	}
}

// judge says whether a custom check got what it expects.
func (c *Custom) judge(v customValue, err error) finding {
	status := c.Status
	if status == mpp.OK {
		status = mpp.Fail
	}
	if err != nil {
		f := ofError(err)
		f.status = min(f.status, status)
		return f
	}
	bad := func(format string, args ...any) finding {
		return finding{status, mpp.KindUnexpected, 0, oneLine(fmt.Sprintf(format, args...))}
	}
	switch {
	case c.Compare == CompareRow && !v.row:
		return bad("no row, expected one")
	case c.Compare == CompareNoRow && v.row:
		return bad("a row (%s), expected none", v.text)
	case c.Compare == CompareRow || c.Compare == CompareNoRow:
		return finding{}
	case !v.row:
		return bad("no row, expected %s %s", c.comparison(), c.Expect)
	}
	if matches, known := compare(c.comparison(), v.text, c.Expect); !known {
		return bad("%s is not a number, expected %s %s", v.text, c.comparison(), c.Expect)
	} else if !matches {
		return bad("%s, expected %s %s", v.text, c.comparison(), c.Expect)
	}
	return finding{}
}

func (c *Custom) comparison() Compare {
	if c.Compare == "" {
		return CompareEqual
	}
	return c.Compare
}

// compare compares two texts; known is false when a number is wanted and got is none.
func compare(how Compare, got, want string) (matches, known bool) {
	if matches, text := compareText(how, got, want); text {
		return matches, true
	}
	a, errA := strconv.ParseFloat(got, 64)
	b, errB := strconv.ParseFloat(want, 64)
	if errA != nil || errB != nil {
		return false, false
	}
	order := cmp.Compare(a, b)
	return (order < 0 && strings.HasPrefix(string(how), "<")) || (order > 0 && strings.HasPrefix(string(how), ">")) ||
		(order == 0 && strings.HasSuffix(string(how), "=")), true
}

// compareText compares what needs no numbers; text is false for the other comparisons.
func compareText(how Compare, got, want string) (matches, text bool) {
	if how == CompareContains {
		return strings.Contains(got, want), true
	}
	return (got == want) == (how == CompareEqual), how == CompareEqual || how == CompareNotEqual
}
