package format

import (
	"errors"
	"hash/crc32"
	"strconv"
	"strings"

	"mpp/publish/address"
)

// The reasons why a file is refused.
var (
	// ErrDamaged: the file is cut short, was changed, or is none of MPP's.
	ErrDamaged = errors.New("state file is damaged: mppd writes it anew within a second, if it runs")
	// ErrVersion: the file is of a version that this program does not know.
	ErrVersion = errors.New("state file is of another version: mpp-check and mppd must be of one release")
)

// body checks the head, the end and the checksum, and returns the lines between.
func body(data []byte, head string) (string, error) {
	kind, _, _ := strings.Cut(head, " ")
	if len(data) < len(head)+endLen {
		return "", ErrDamaged
	}
	text := string(data)
	lines, tail := text[:len(text)-endLen], text[len(text)-endLen:]
	sum, isEnd := strings.CutPrefix(tail, endKey)
	if !isEnd || sum != hex(crc32.ChecksumIEEE(data[:len(lines)])) {
		return "", ErrDamaged
	}
	rest, right := strings.CutPrefix(lines, head)
	if !right && strings.HasPrefix(lines, kind+" ") {
		return "", ErrVersion
	}
	if !right || (rest != "" && rest[len(rest)-1] != '\n') {
		return "", ErrDamaged
	}
	return rest, nil
}

// ParsePool reads a pool's file.
func ParsePool(data []byte) (*Pool, error) {
	lines, err := body(data, poolHead)
	if err != nil {
		return nil, err
	}
	p := &Pool{}
	var n *Node
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		key, value, _ := strings.Cut(line, " ")
		var right bool
		switch {
		case key == "node":
			p.Nodes = append(p.Nodes, Node{Address: value, Lag: -1})
			n = &p.Nodes[len(p.Nodes)-1]
			right = value != ""
		case n != nil:
			right = n.set(key, value)
		default:
			right = p.set(key, value)
		}
		if !right {
			return nil, ErrDamaged
		}
	}
	if p.Name == "" || p.Boot == "" {
		return nil, ErrDamaged
	}
	return p, nil
}

// set takes one line of a pool; false means that its value makes no sense.
func (p *Pool) set(key, value string) bool {
	right := true
	switch key {
	case "boot":
		p.Boot = value
	case "written_ns":
		p.Written, right = integer(value)
	case "pool":
		p.Name = value
	case "stale_after_ns":
		p.StaleAfter, right = integer(value)
	case "when_stale":
		p.LastKnown = value == "last_known"
		right = p.LastKnown || value == "down"
	case "status":
		p.Status = value
	case "trouble":
		p.Trouble = value
	case "maintenance":
		p.Maintenance = value == "on"
	case "message":
		p.Message = value
	}
	return right
}

// set takes one line of a node; false means that its value makes no sense.
func (n *Node) set(key, value string) bool {
	right := true
	switch key {
	case "type":
		n.Type = value
	case "state":
		n.State = value
	case "reason":
		n.Reason = value
	case "status":
		n.Status = value
	case "errors":
		n.Errors, right = integer(value)
	case "evaluation":
		n.Evaluation = value
	case "polled_ns":
		n.Polled, right = integer(value)
	case "took_ns":
		n.Took, right = integer(value)
	case "lag_ns":
		n.Lag, right = integer(value)
	case "message":
		n.Message = value
	case "writer":
		n.Writer, right = answer(value)
	case "reader":
		n.Reader, right = answer(value)
	case "ok":
		n.OK, right = answer(value)
	}
	return right
}

func integer(value string) (int64, bool) {
	n, err := strconv.ParseInt(value, 10, 64)
	return n, err == nil
}

func answer(value string) (Answer, bool) {
	word, reason, _ := strings.Cut(value, " ")
	return Answer{Up: word == "yes", Reason: reason}, word == "yes" || word == "no"
}

// ParseIndex reads the index.
func ParseIndex(data []byte) (*Index, error) {
	lines, err := body(data, indexHead)
	if err != nil {
		return nil, err
	}
	x := &Index{}
	for lines != "" {
		var line string
		line, lines, _ = strings.Cut(lines, "\n")
		key, value, _ := strings.Cut(line, " ")
		if key == "boot" {
			x.Boot = value
			continue
		}
		if _, valid := FileOf(value); !valid {
			return nil, ErrDamaged
		}
		x.Entries = append(x.Entries, Entry{Address: key, Pool: value})
	}
	return x, nil
}

// Find returns the pool of the node that asked names; how many nodes it names is 0, 1, or 2
// for more than one.
func (x *Index) Find(asked address.Address) (pool string, found int) {
	for _, e := range x.Entries {
		if asked.Names(e.Address) {
			if found++; found > 1 {
				return "", found
			}
			pool = e.Pool
		}
	}
	return pool, found
}

// Find returns the node that asked names; how many it names is 0, 1, or 2 for more than one.
func (p *Pool) Find(asked address.Address) (n *Node, found int) {
	for i := range p.Nodes {
		if asked.Names(p.Nodes[i].Address) {
			if found++; found > 1 {
				return nil, found
			}
			n = &p.Nodes[i]
		}
	}
	return n, found
}
