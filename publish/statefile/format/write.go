package format

import (
	"hash/crc32"
	"strconv"
)

const (
	poolHead  = "mpp-state 1\n"
	indexHead = "mpp-index 1\n"
)

// Append appends the text of a pool's file to b. Texts must be single lines.
func (p *Pool) Append(b []byte) []byte {
	start := len(b)
	b = append(b, poolHead...)
	b = text(b, "boot", p.Boot)
	b = number(b, "written_ns", p.Written)
	b = text(b, "pool", p.Name)
	b = number(b, "stale_after_ns", p.StaleAfter)
	b = text(b, "when_stale", choice(p.LastKnown, "last_known", "down"))
	b = text(b, "status", p.Status)
	b = text(b, "trouble", p.Trouble)
	b = text(b, "maintenance", choice(p.Maintenance, "on", ""))
	b = text(b, "message", p.Message)
	for i := range p.Nodes {
		b = p.Nodes[i].append(b)
	}
	return end(b, start)
}

func (n *Node) append(b []byte) []byte {
	b = text(b, "node", n.Address)
	b = text(b, "type", n.Type)
	b = text(b, "state", n.State)
	b = text(b, "reason", n.Reason)
	b = text(b, "status", n.Status)
	b = number(b, "errors", n.Errors)
	b = text(b, "evaluation", n.Evaluation)
	b = number(b, "polled_ns", n.Polled)
	b = number(b, "took_ns", n.Took)
	b = number(b, "lag_ns", n.Lag)
	b = text(b, "message", n.Message)
	b = n.Writer.append(b, "writer")
	b = n.Reader.append(b, "reader")
	return n.OK.append(b, "ok")
}

func (a Answer) append(b []byte, role string) []byte {
	return text(b, role, choice(a.Up, "yes ", "no ")+a.Reason)
}

// Append appends the text of the index to b.
func (x *Index) Append(b []byte) []byte {
	start := len(b)
	b = append(b, indexHead...)
	b = text(b, "boot", x.Boot)
	for _, e := range x.Entries {
		b = text(b, e.Address, e.Pool)
	}
	return end(b, start)
}

// text adds a line; an empty value adds none.
func text(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, key...)
	b = append(b, ' ')
	b = append(b, value...)
	return append(b, '\n')
}

func number(b []byte, key string, n int64) []byte {
	b = append(b, key...)
	b = append(b, ' ')
	b = strconv.AppendInt(b, n, 10)
	return append(b, '\n')
}

func end(b []byte, start int) []byte {
	sum := crc32.ChecksumIEEE(b[start:])
	b = append(b, endKey...)
	return append(b, hex(sum)...)
}

const (
	endKey = "end "
	endLen = len(endKey) + 8 + 1
)

func hex(sum uint32) string {
	const digits = "0123456789abcdef"
	var out [9]byte
	for i := range 8 {
		out[i] = digits[sum>>(28-4*i)&15]
	}
	out[8] = '\n'
	return string(out[:])
}

func choice(yes bool, then, otherwise string) string {
	if yes {
		return then
	}
	return otherwise
}

// Seconds writes a duration for people: "0.250s", "12.3s", "3600s".
func Seconds(ns int64) string {
	ms := ns / 1e6
	switch {
	case ms < 0:
		return "?"
	case ms < 10_000:
		return strconv.FormatInt(ms/1000, 10) + "." + pad3(ms%1000) + "s"
	case ms < 100_000:
		return strconv.FormatInt(ms/1000, 10) + "." + strconv.FormatInt(ms%1000/100, 10) + "s"
	default:
		return strconv.FormatInt(ms/1000, 10) + "s"
	}
}

func pad3(n int64) string {
	s := strconv.FormatInt(n, 10)
	return "000"[len(s):] + s
}
