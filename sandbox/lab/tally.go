package lab

import (
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"
)

// What counts as an outage: a gap between acknowledged writes in which a write failed, if
// it is so many intervals long; or one that is long in any case, as when commits hang.
const (
	outageIntervals = 5
	outageLong      = 100 * time.Millisecond
)

// doublesMost bounds how many rows with two masters are named; all are counted.
const doublesMost = 100

// Record is what a Writer has seen.
type Record struct {
	Pool    string    `json:"pool"`
	Through string    `json:"through"`
	Began   time.Time `json:"began"`
	Until   time.Time `json:"until"`
	// Acknowledged is the number of rows that a server said it has, Servers how many each
	// of them did.
	Acknowledged int            `json:"acknowledged"`
	Servers      map[string]int `json:"servers"`
	// Errors counts what failed, by kind; one write or connect is one error.
	Errors map[string]int `json:"errors"`
	// Outages are in order; the last one may still be open.
	Outages []Outage `json:"outages"`
	// LongestGap is the longest time between two acknowledged writes, an outage or not.
	LongestGap Length `json:"longest_gap_ms"`
	// Double is the number of rows that a server acknowledged while another one did so,
	// too: both took writes. Doubles are the first of them.
	Double  int      `json:"double"`
	Doubles []Double `json:"doubles,omitempty"`

	byID map[uint32]int
}

// Length is a duration that is milliseconds in JSON.
type Length time.Duration

// MarshalJSON writes milliseconds, to the microsecond.
func (l Length) MarshalJSON() ([]byte, error) {
	return strconv.AppendFloat(nil, float64(time.Duration(l).Microseconds())/1000, 'f', -1, 64), nil
}

// String is the length as a time.Duration prints it, to the microsecond.
func (l Length) String() string { return time.Duration(l).Round(time.Microsecond).String() }

// Outage is a time in which no write was acknowledged.
type Outage struct {
	// Begin is the last acknowledged write before, End the first one after; for an Open
	// one it is now.
	Begin  time.Time `json:"begin"`
	End    time.Time `json:"end"`
	Length Length    `json:"length_ms"`
	Open   bool      `json:"open,omitempty"`
	// Errors counts what failed meanwhile, by kind.
	Errors map[string]int `json:"errors"`
	// From and To are the hosts that acknowledged before and after; empty if none did.
	From string `json:"from"`
	To   string `json:"to"`

	from, to uint32
}

// Double is a row that a server acknowledged although another one took writes.
type Double struct {
	Writer int       `json:"writer"`
	Seq    int64     `json:"seq"`
	At     time.Time `json:"at"`
	Server string    `json:"server"`
	Other  string    `json:"other"`

	server, other uint32
}

// ack is an acknowledged write.
type ack struct {
	writer     int
	seq        int64
	server     uint32
	connected  time.Time // when its connection was made
	begin, end time.Time
}

// span is a run of acknowledged rows of one writer, both ends included. There are at most
// as many as errors.
type span struct {
	writer   int
	from, to int64
	server   uint32
}

// tally adds up what happens. Times are arguments.
type tally struct {
	interval time.Duration
	onOutage func(Outage)

	mu      sync.Mutex // guards what follows
	began   time.Time
	ended   time.Time
	last    ack // the last acknowledged row of all writers
	count   int
	byID    map[uint32]int
	latest  map[uint32]ack // of each server
	errs    map[string]int
	recent  map[string]int // errors since the last acknowledged row
	spans   map[int][]span
	outages []Outage
	longest time.Duration
	double  int
	doubles []Double
}

func newTally(now time.Time, interval time.Duration, onOutage func(Outage)) *tally {
	return &tally{
		interval: interval, onOutage: onOutage, began: now, last: ack{begin: now, end: now},
		byID: map[uint32]int{}, latest: map[uint32]ack{}, errs: map[string]int{}, recent: map[string]int{},
		spans: map[int][]span{},
	}
}

// failed counts a write or a connect that failed.
func (t *tally) failed(kind string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.errs[kind]++
	t.recent[kind]++
}

// acknowledged takes in a write that a server has acknowledged.
func (t *tally) acknowledged(a ack) {
	outage, ended := t.take(a)
	if ended && t.onOutage != nil {
		t.onOutage(outage)
	}
}

func (t *tally) take(a ack) (Outage, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.count++
	t.byID[a.server]++
	t.extend(a)
	t.compare(a)
	t.latest[a.server] = a
	before := t.last
	if a.end.Before(before.end) {
		return Outage{}, false // another writer was quicker to say so
	}
	t.last = a
	gap := a.end.Sub(before.end)
	t.longest = max(t.longest, gap)
	errs := t.recent
	t.recent = map[string]int{}
	if !t.isOutage(gap, errs) {
		return Outage{}, false
	}
	o := Outage{Begin: before.end, End: a.end, Length: Length(gap), Errors: errs, from: before.server, to: a.server}
	t.outages = append(t.outages, o)
	return o, true
}

func (t *tally) isOutage(gap time.Duration, errs map[string]int) bool {
	return gap >= outageLong || (len(errs) > 0 && gap >= outageIntervals*t.interval)
}

// extend adds a row to those that are acknowledged.
func (t *tally) extend(a ack) {
	list := t.spans[a.writer]
	if n := len(list); n > 0 && list[n-1].to == a.seq-1 && list[n-1].server == a.server {
		list[n-1].to = a.seq
		return
	}
	t.spans[a.writer] = append(list, span{a.writer, a.seq, a.seq, a.server})
}

// compare finds out whether two servers take writes: this one was acknowledged over a
// connection that is older than what another server acknowledged before this row was even
// sent. When the role has moved in order, the old connections are gone or refuse to write.
func (t *tally) compare(a ack) {
	for server, other := range t.latest {
		if server == a.server || !other.begin.After(a.connected) || !other.end.Before(a.begin) {
			continue
		}
		t.double++
		if len(t.doubles) < doublesMost {
			t.doubles = append(t.doubles, Double{Writer: a.writer, Seq: a.seq, At: a.end, server: a.server, other: server})
		}
		return
	}
}

// end says that the writing has ended.
func (t *tally) end(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ended.IsZero() {
		t.ended = now
	}
}

// record is the state at a time; an outage that is open counts until then.
func (t *tally) record(now time.Time) Record {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !t.ended.IsZero() {
		now = t.ended
	}
	r := Record{
		Began: t.began, Until: now, Acknowledged: t.count, Errors: maps.Clone(t.errs), Outages: slices.Clone(t.outages),
		Double: t.double, Doubles: slices.Clone(t.doubles), byID: maps.Clone(t.byID),
	}
	gap := now.Sub(t.last.end)
	if t.isOutage(gap, t.recent) {
		r.Outages = append(r.Outages, Outage{
			Begin: t.last.end, End: now, Length: Length(gap), Open: true, Errors: maps.Clone(t.recent), from: t.last.server,
		})
	}
	r.LongestGap = Length(max(t.longest, gap))
	return r
}

// acknowledgedSpans returns the rows that were acknowledged.
func (t *tally) acknowledgedSpans() []span {
	t.mu.Lock()
	defer t.mu.Unlock()
	var all []span
	for _, writer := range slices.Sorted(maps.Keys(t.spans)) {
		all = append(all, t.spans[writer]...)
	}
	return all
}
