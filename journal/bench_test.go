package journal

import (
	"fmt"
	"testing"
	"time"

	"mpp"
)

func BenchmarkRingAdd(b *testing.B) {
	const nodes = 5000
	inputs := make([]mpp.Input, nodes*5)
	for i := range inputs {
		inputs[i] = pollOf(i%nodes, i/nodes, epoch0)
	}
	r := NewRing(RingOptions{})
	at := epoch0
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		in := inputs[i%len(inputs)]
		in.At = at
		at = at.Add(200 * time.Microsecond)
		r.Add(in)
	}
	s := r.Stats()
	b.ReportMetric(float64(s.Bytes)/float64(s.Inputs), "bytes/poll")
}

func BenchmarkRingReplay(b *testing.B) {
	r := NewRing(RingOptions{})
	r.Mark(epoch0, nil)
	for i := range 10_000 {
		r.Add(pollOf(i%100, i/100, epoch0.Add(time.Duration(i)*10*time.Millisecond)))
	}
	b.ReportAllocs()
	for b.Loop() {
		for range r.Lines(Query{}) {
			continue
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/10_000, "ns/input")
}

func BenchmarkAppend(b *testing.B) {
	for _, sync := range []bool{false, true} {
		b.Run(fmt.Sprintf("sync=%v", sync), func(b *testing.B) {
			j, _ := mustOpen(b, b.TempDir(), Options{})
			in := pollOf(1, 1, epoch0)
			r := Record{
				At: epoch0, Pool: "p1", Input: &in,
				Nodes:  []mpp.NodeMemory{{Address: in.Observation.Node, State: mpp.Active, Rule: "promote-secondary", Evidence: "no node is ACTIVE"}},
				Events: []mpp.Event{{Seq: 1, At: epoch0, Kind: mpp.EventState, Text: "PRIMARY 10.1.0.1:3306: STANDBY -> ACTIVE"}},
			}
			b.ReportAllocs()
			for b.Loop() {
				r.Events[0].Seq++
				if err := j.Append(r, sync); err != nil {
					b.Fatal(err)
				}
				if j.NeedsCompaction() {
					if err := j.Compact(nil, nil); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

// big is what 5,000 nodes in pools of 5 are remembered by.
func big() []mpp.PoolMemory {
	var pools []mpp.PoolMemory
	for p := range 1000 {
		m := mpp.PoolMemory{Name: fmt.Sprintf("pool-%d", p), Nodes: make([]mpp.NodeMemory, 5)}
		for n := range m.Nodes {
			m.Nodes[n] = mpp.NodeMemory{
				Address: fmt.Sprintf("10.%d.%d.%d:3306", p/250, p%250, n), State: mpp.Standby, Rule: "admit",
				Evidence: "a good poll", Since: epoch0, GoodSince: epoch0, LastPoll: epoch0,
			}
		}
		pools = append(pools, m)
	}
	return pools
}

func BenchmarkCompact5000Nodes(b *testing.B) {
	j, _ := mustOpen(b, b.TempDir(), Options{})
	pools := big()
	b.ReportAllocs()
	for b.Loop() {
		if err := j.Append(Record{At: epoch0}, false); err != nil {
			b.Fatal(err)
		}
		if err := j.Compact(pools, nil); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkOpen5000Nodes(b *testing.B) {
	dir := b.TempDir()
	j, _ := mustOpen(b, dir, Options{})
	if err := j.Compact(big(), nil); err != nil {
		b.Fatal(err)
	}
	for i := range uint64(10_000) {
		if err := j.Append(nth(i+1), false); err != nil {
			b.Fatal(err)
		}
	}
	j.abandon()
	for b.Loop() {
		j, r, err := Open(dir, Options{})
		if err != nil || len(r.Pools) != 1002 {
			b.Fatal(len(r.Pools), err)
		}
		j.abandon()
	}
}
