package sim

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"sync"
	"testing"
	"time"
)

// histories is how many are played: a hundred thousand, less under the race detector, more
// by MPP_SIM_HISTORIES. MPP_SIM_SEED repeats one.
func histories(t *testing.T) int {
	text := os.Getenv("MPP_SIM_HISTORIES")
	if text == "" {
		return defaultHistories
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MPP_SIM_HISTORIES: %v", err)
	}
	return n
}

func TestRandomHistoriesHoldTheInvariants(t *testing.T) {
	if os.Getenv("MPP_SIM_FAULT") != "" {
		t.Skip("MPP_SIM_FAULT is about the drills")
	}
	if text := os.Getenv("MPP_SIM_SEED"); text != "" {
		var stats Stats
		seed, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("MPP_SIM_SEED: %v", err)
		}
		if err := Run(seed, &stats); err != nil {
			t.Fatal(err)
		}
		return
	}
	first := uint64(time.Now().UnixNano())
	count := histories(t)
	t.Logf("seeds %d to %d", first, first+uint64(count)-1)
	stats, err := playAll(first, uint64(count))
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d histories: %+v", count, stats)
	for what, n := range map[string]int{
		"promotions": stats.Promotions, "failures": stats.Failures, "restarts": stats.Restarts,
		"commands": stats.Commands, "cut-offs": stats.CutOffs, "reloads": stats.Reloads,
	} {
		if n < count/20 {
			t.Errorf("only %d %s in %d histories: the model has gone tame", n, what, count)
		}
	}
}

// playAll plays the histories of count seeds, as many at a time as there are processors.
func playAll(first, count uint64) (Stats, error) {
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	workers := uint64(runtime.GOMAXPROCS(0))
	stats, failed := make([]Stats, workers), make([]error, workers)
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for seed := first + w; seed < first+count && failed[w] == nil; seed += workers {
				if err := Run(seed, &stats[w]); err != nil {
					failed[w] = fmt.Errorf("%w\nrepeat with: MPP_SIM_SEED=%d go test ./sim", err, seed)
				}
			}
		})
	}
	all.Wait()
	var sum Stats
	for _, s := range stats {
		sum.add(s)
	}
	return sum, errors.Join(failed...)
}

func (s *Stats) add(o Stats) {
	s.Steps += o.Steps
	s.Promotions += o.Promotions
	s.Failures += o.Failures
	s.Restarts += o.Restarts
	s.Commands += o.Commands
	s.CutOffs += o.CutOffs
	s.Reloads += o.Reloads
}

func TestOneSeedIsOneHistory(t *testing.T) {
	var a, b Stats
	if err := Run(7, &a); err != nil {
		t.Fatal(err)
	}
	if err := Run(7, &b); err != nil {
		t.Fatal(err)
	}
	if a != b {
		t.Errorf("seed 7 gave %+v and then %+v", a, b)
	}
}
