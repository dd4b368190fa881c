package conf

import (
	"fmt"
	"strconv"
	"strings"

	"mpp/fault"
)

// value is what a parameter has at one level: the global file, [server default], a server.
type value struct {
	text string
	at   fault.Origin
	// block is the section that it stands in; empty for a default of MHA's.
	block string
	// given says that there is a value at all, even an empty one.
	given bool
}

// level holds the parameters by name.
type level map[string]value

// shared is what MHA keeps for the whole process while it reads.
type shared struct {
	*reporter
	// options are the ssh_options that were read last.
	options value
}

// descend reads a section over what is handed down to it.
func (s *shared) descend(b *block, above level) level {
	s.unknown(b)
	here := level{}
	for _, p := range Parameters() {
		v := p.inherited(above)
		if own, there := b.props[p.Name]; there {
			v = value{text: own.text, at: own.at, block: b.name, given: true}
			s.judge(p, v)
		} else if v.block != "" && unquoted(v.text) != v.text {
			s.warn(v.at, keyOf(v.block, p.Name), "MHA takes a quote off its end again wherever the value is handed down", "write it into the sections of the servers, or do without quotes in it")
		}
		here[p.Name] = s.normal(p, v)
	}
	return here
}

// inherited is what a parameter has where a section does not name it.
func (p *Parameter) inherited(above level) value {
	v := above[p.Name]
	if p.Own {
		v = value{}
	}
	if !v.given || p.weak && !truth(v.text) {
		return value{text: p.Default, given: p.Default != ""}
	}
	return v
}

// normal is a value as MHA keeps it.
func (s *shared) normal(p Parameter, v value) value {
	switch p.kind {
	case positive:
		s.positive(p, v)
	case pingType:
		v.text = strings.ToUpper(v.text)
		s.pingType(p, v)
	case directories:
		v.text = strings.Join(strings.FieldsFunc(v.text, isSpace), "")
	case sshOptions:
		v.text = strings.NewReplacer(`"`, "", `'`, "").Replace(v.text)
		if truth(v.text) {
			s.options = v
		}
	default:
	}
	if v.text != "0" {
		v.text = unquoted(v.text)
	}
	return v
}

func isSpace(r rune) bool { return r == ' ' || r >= '\t' && r <= '\r' }

// unquoted is s/^['"]?(.*)['"]$/$1/: a quote at the end goes, and then one at the beginning.
func unquoted(text string) string {
	if text == "" || !quote(text[len(text)-1]) {
		return text
	}
	text = text[:len(text)-1]
	if text != "" && quote(text[0]) {
		text = text[1:]
	}
	return text
}

func quote(c byte) bool { return c == '"' || c == '\'' }

// truth is Perl's.
func truth(text string) bool { return text != "" && text != "0" }

// unknown says which names of a section MHA does not know.
func (s *shared) unknown(b *block) {
	known := names()
	for name, p := range b.props {
		found := false
		for _, k := range known {
			found = found || k == name
		}
		if found {
			continue
		}
		hint := "mend or remove it: MHA does not start with it"
		if near := fault.Nearest(name, known); near != "" {
			hint = "is it " + near + "?"
		}
		s.fail(p.at, keyOf(b.name, name), "MHA has no such parameter", hint)
	}
}

// judge says what is odd about a value, in the section that it stands in.
func (s *shared) judge(p Parameter, v value) {
	key := keyOf(v.block, p.Name)
	plain := unquoted(v.text)
	switch {
	case p.kind == computed:
		s.warn(v.at, key, "it counts for nothing: MHA looks the address of ssh_host up", "set ssh_host instead")
	case p.Own && p.kind != sshOptions && (v.block == defaultBlock || v.block == scriptBlock):
		s.warn(v.at, key, "it counts for nothing here", "write it into the sections of the servers that are meant")
	case p.kind == toggle && plain != "" && plain != "0" && plain != "1":
		s.toggle(p, key, v, plain)
	case p.kind != sshOptions && plain != v.text && v.text[0] != v.text[len(v.text)-1]:
		s.warn(v.at, key, "MHA takes the quote at its end off", "if the quote is part of it, write the whole in quotes")
	case p.kind == port && !isPort(plain):
		s.fail(v.at, key, fmt.Sprintf("%q is not a port", plain), "write a whole number from 1 to 65535")
	}
}

// toggle judges a switch that is neither on nor off. MHA compares some with >=, and dies of a word.
func (s *shared) toggle(p Parameter, key string, v value, plain string) {
	_, err := strconv.Atoi(plain)
	if err != nil && (p.Name == "candidate_master" || p.Name == "no_master") {
		s.fail(v.at, key, fmt.Sprintf("%q is not a number: MHA would die of it when it chooses a new master", plain), "write 0 or 1")
		return
	}
	s.warn(v.at, key, fmt.Sprintf("%q means yes: MHA takes everything but 0 and nothing for yes", plain), "write 0 or 1")
}

func isPort(text string) bool {
	n, err := strconv.ParseUint(text, 10, 16)
	return err == nil && n > 0
}

// maxSeconds bounds times, so that they fit a duration.
const maxSeconds = 30 * 24 * 60 * 60

func (s *shared) positive(p Parameter, v value) {
	for _, c := range []byte(v.text) {
		if c < '0' || c > '9' {
			s.positiveFault(p, v)
			return
		}
	}
	if n, err := strconv.Atoi(v.text); err != nil || n < 1 || n > maxSeconds {
		s.positiveFault(p, v)
	}
}

func (s *shared) positiveFault(p Parameter, v value) {
	hint := "write a whole number of 1 and more"
	if _, err := strconv.ParseUint(unquoted(v.text), 10, 31); err == nil && strings.ContainsAny(v.text, `"'`) {
		hint = "write it without quotes"
	}
	s.fail(v.at, keyOf(v.block, p.Name), fmt.Sprintf("%q is not a number of seconds", v.text), hint)
}

func (s *shared) pingType(p Parameter, v value) {
	switch PingType(v.text) {
	case PingSelect, PingConnect, PingInsert:
		return
	}
	types := []string{string(PingSelect), string(PingConnect), string(PingInsert)}
	hint := "write " + strings.Join(types, ", ")
	if near := fault.Nearest(v.text, types); near != "" {
		hint = "write " + near + ", without quotes"
	}
	s.fail(v.at, keyOf(v.block, p.Name), fmt.Sprintf("%q is not a type", v.text), hint)
}
