package sim

import (
	"os"
	"strconv"
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
	var stats Stats
	if text := os.Getenv("MPP_SIM_SEED"); text != "" {
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
	for seed := first; seed < first+uint64(count); seed++ {
		if err := Run(seed, &stats); err != nil {
			t.Fatalf("%v\nrepeat with: MPP_SIM_SEED=%d go test ./sim", err, seed)
		}
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
