package gtid

import (
	"cmp"
	"slices"
)

// span is the numbers from first to last, both included; first is at least 1.
type span struct{ first, last uint64 }

// length returns how many numbers there are. It cannot overflow, as there is no number 0.
func (s span) length() uint64 { return s.last - s.first + 1 }

// reaches says that other, which does not begin before s, overlaps s or follows without a gap.
func (s span) reaches(other span) bool { return other.first-1 <= s.last }

// normal sorts spans and joins those that touch, in place.
func normal(spans []span) []span {
	ordered := true
	for i := 1; i < len(spans) && ordered; i++ {
		ordered = spans[i].first > spans[i-1].first && !spans[i-1].reaches(spans[i])
	}
	if ordered {
		return spans
	}
	slices.SortFunc(spans, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	joined := spans[:1]
	for _, s := range spans[1:] {
		joined = appendSpan(joined, s)
	}
	return joined
}

// appendSpan appends a span that does not begin before the last one.
func appendSpan(spans []span, s span) []span {
	if n := len(spans); n > 0 && spans[n-1].reaches(s) {
		spans[n-1].last = max(spans[n-1].last, s.last)
		return spans
	}
	return append(spans, s)
}

// containsSpans says that every number of b is in a.
func containsSpans(a, b []span) bool {
	i := 0
	for _, s := range b {
		for i < len(a) && a[i].last < s.first {
			i++
		}
		if i == len(a) || a[i].first > s.first || a[i].last < s.last {
			return false
		}
	}
	return true
}

// unionSpans returns the numbers that are in a or b.
func unionSpans(a, b []span) []span {
	all := make([]span, 0, len(a)+len(b))
	for len(a) > 0 && len(b) > 0 {
		if a[0].first <= b[0].first {
			all, a = appendSpan(all, a[0]), a[1:]
		} else {
			all, b = appendSpan(all, b[0]), b[1:]
		}
	}
	for _, s := range a {
		all = appendSpan(all, s)
	}
	for _, s := range b {
		all = appendSpan(all, s)
	}
	return all
}

// minusSpans returns the numbers that are in a and not in b.
func minusSpans(a, b []span) []span {
	var rest []span
	for _, s := range a {
		for len(b) > 0 && b[0].last < s.first {
			b = b[1:]
		}
		rest = appendCut(rest, s, b)
	}
	return rest
}

// appendCut appends what is left of s without b, none of which ends before s begins.
func appendCut(rest []span, s span, b []span) []span {
	for _, hole := range b {
		if hole.first > s.last {
			break
		}
		if hole.first > s.first {
			rest = append(rest, span{s.first, hole.first - 1})
		}
		if hole.last >= s.last {
			return rest
		}
		s.first = hole.last + 1
	}
	return append(rest, s)
}

// end says that server wrote the transaction seq, the last of a span.
type end struct {
	seq    uint64
	server uint32
}

func compareEnds(a, b end) int {
	return cmp.Or(cmp.Compare(a.seq, b.seq), cmp.Compare(a.server, b.server))
}

// endsAt returns the ends at seq.
func endsAt(ends []end, seq uint64) []end {
	from, _ := slices.BinarySearchFunc(ends, end{seq: seq}, compareEnds)
	to := from
	for to < len(ends) && ends[to].seq == seq {
		to++
	}
	return ends[from:to]
}

// disagrees says that e has the number of x as an end, and not by the server of x.
func (e *entry) disagrees(x end) bool {
	if _, same := slices.BinarySearchFunc(e.ends, x, compareEnds); same {
		return false
	}
	i, _ := slices.BinarySearchFunc(e.ends, end{seq: x.seq}, compareEnds)
	return i < len(e.ends) && e.ends[i].seq == x.seq
}

func (e *entry) contains(other *entry) bool {
	return containsSpans(e.spans, other.spans) && !slices.ContainsFunc(other.ends, e.disagrees)
}

func (e *entry) union(other *entry) entry {
	all := entry{key: e.key, spans: unionSpans(e.spans, other.spans)}
	if e.mariadb {
		all.ends = endsOf(all.spans, slices.Concat(e.ends, other.ends))
	}
	return all
}

// endsOf sorts ends, in place, and leaves those that are at the end of a span, once each.
func endsOf(spans []span, ends []end) []end {
	slices.SortFunc(ends, compareEnds)
	ends = slices.Compact(ends)
	i := 0
	return slices.DeleteFunc(ends, func(x end) bool {
		for i < len(spans) && spans[i].last < x.seq {
			i++
		}
		return i == len(spans) || spans[i].last != x.seq
	})
}

func (e *entry) minus(other *entry) entry {
	rest := entry{key: e.key, spans: minusSpans(e.spans, other.spans)}
	if !e.mariadb {
		return rest
	}
	var left, only []end
	for _, x := range e.ends {
		switch {
		case other.disagrees(x):
			only = append(only, x)
		case !holds(other.spans, x.seq):
			left = append(left, x)
		}
	}
	for _, x := range only {
		rest.spans = append(rest.spans, span{x.seq, x.seq})
	}
	rest.spans = normal(rest.spans)
	for i, p := range rest.spans {
		// A span that was cut short ends at a number whose writer is not in the set: it keeps
		// the writer of what it was cut from.
		if cut := spanOf(e.spans, p.last); cut.last != p.last {
			left = append(left, end{rest.spans[i].last, endsAt(e.ends, cut.last)[0].server})
		}
	}
	rest.ends = endsOf(rest.spans, append(left, only...))
	return rest
}

// holds says that one of the spans has n.
func holds(spans []span, n uint64) bool {
	s := spanOf(spans, n)
	return s.first <= n && n <= s.last
}

// spanOf returns the first span that does not end before n, the zero span if there is none.
func spanOf(spans []span, n uint64) span {
	i, _ := slices.BinarySearchFunc(spans, n, func(s span, n uint64) int { return cmp.Compare(s.last, n) })
	if i == len(spans) {
		return span{}
	}
	return spans[i]
}
