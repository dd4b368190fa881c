package poller

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

func TestQuantilesAreExactToSevenPercent(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var h histogram
	var all []time.Duration
	for range 20000 {
		d := time.Duration(math.Exp(random.Float64()*20)) * time.Microsecond
		h.add(d)
		all = append(all, d)
	}
	slices.Sort(all)
	for _, q := range []float64{0.001, 0.1, 0.5, 0.9, 0.99, 1} {
		exact := all[int(math.Ceil(q*float64(len(all))))-1]
		got := h.quantile(q)
		if got < exact || float64(got) > 1.07*float64(exact) {
			t.Errorf("quantile %g: %s, exactly %s", q, got, exact)
		}
	}
	if h.most != all[len(all)-1] {
		t.Errorf("maximum %s, want %s", h.most, all[len(all)-1])
	}
}

func TestBucketsHoldWhatIsPutIntoThem(t *testing.T) {
	last := -1
	for d := time.Duration(0); d < 3*time.Hour; d += 1 + d/100 {
		b := bucketOf(d)
		if b < last {
			t.Fatalf("%s is in bucket %d, a shorter one in %d", d, b, last)
		}
		if b < bucketCount-1 && upper(b) < d.Truncate(time.Microsecond) {
			t.Fatalf("%s is in bucket %d, which ends at %s", d, b, upper(b))
		}
		last = b
	}
	if bucketOf(-time.Second) != 0 {
		t.Error("a negative lateness is not zero")
	}
}

func TestLatenessIsOfTheLastTwoMinutes(t *testing.T) {
	start := time.Now()
	c := counters{turned: start}
	late := func(after, d time.Duration) { c.late(start.Add(after), d) }
	late(time.Second, time.Hour)
	late(61*time.Second, time.Millisecond)
	if _, _, most := c.lateness(start.Add(119 * time.Second)); most != time.Hour {
		t.Errorf("maximum %s within the window, want 1h", most)
	}
	if _, _, most := c.lateness(start.Add(122 * time.Second)); most != time.Millisecond {
		t.Errorf("maximum %s when the hour has left the window, want 1ms", most)
	}
	if p50, p99, most := c.lateness(start.Add(time.Hour)); p50 != 0 || p99 != 0 || most != 0 {
		t.Errorf("%s, %s, %s of an empty window", p50, p99, most)
	}
}

func TestPlacesInTheIntervalAreThoseOfEveryRelease(t *testing.T) {
	for name, want := range map[string]uint64{"10.0.0.1:3306": 0x18a33233e744598, "10.0.0.2:3306": 0x1df47a3a083de6ae} {
		if got := hashOf("p", name); got != want {
			t.Errorf("hash of p, %s: %#x, want %#x", name, got, want)
		}
	}
}
