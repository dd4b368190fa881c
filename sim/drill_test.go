package sim

import (
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"testing"
	"text/tabwriter"
)

// drillsEach is how many failovers or switchovers are played of each fault, by default or by
// MPP_SIM_DRILLS (1000 is the number to try before a release). Seeds count from 1.
func drillsEach(t *testing.T) int {
	text := os.Getenv("MPP_SIM_DRILLS")
	if text == "" {
		return defaultDrills
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MPP_SIM_DRILLS: %v", err)
	}
	return n
}

// TestDrillsHoldTheInvariants plays failovers and switchovers with every kind of fault.
// MPP_SIM_FAULT takes one kind, or those that contain a text; with MPP_SIM_SEED it repeats one history.
func TestDrillsHoldTheInvariants(t *testing.T) {
	wanted, seedText := os.Getenv("MPP_SIM_FAULT"), os.Getenv("MPP_SIM_SEED")
	if seedText != "" && wanted == "" {
		t.Skip("MPP_SIM_SEED is about the other histories")
	}
	defer debug.SetGCPercent(debug.SetGCPercent(800))
	reports := make([]Drills, len(Faults()))
	t.Run("faults", func(t *testing.T) {
		for i, fault := range Faults() {
			if !strings.Contains(fault.Name, wanted) {
				continue
			}
			t.Run(fault.Name, func(t *testing.T) {
				t.Parallel()
				playFault(t, fault, seedText, &reports[i])
			})
		}
	})
	t.Log("\n" + table(reports))
}

func playFault(t *testing.T, fault Fault, seedText string, report *Drills) {
	first, count := uint64(1), drillsEach(t)
	if seedText != "" {
		seed, err := strconv.ParseUint(seedText, 10, 64)
		if err != nil {
			t.Fatalf("MPP_SIM_SEED: %v", err)
		}
		first, count = seed, 1
	}
	for n := range uint64(3 * count) {
		played := report.Histories
		switch {
		case seedText != "" || fault.unmoved || fault.anything:
		case fault.switchover:
			played = report.Switchovers
		default:
			played = report.Failovers
		}
		if played >= count {
			return
		}
		var trace func(string)
		if seedText != "" {
			trace = func(line string) { t.Log(line) }
		}
		if err := RunDrill(fault, first+n, report, trace); err != nil {
			t.Fatalf("%v\nrepeat with: MPP_SIM_FAULT='%s' MPP_SIM_SEED=%d go test ./sim", err, fault.Name, first+n)
		}
	}
	if seedText == "" {
		t.Errorf("only %+v in %d histories: the model has gone tame", *report, 3*count)
	}
}

// table shows what was played.
func table(reports []Drills) string {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "fault\thistories\tfailovers\tswitchovers\tcompleted\trolled back\tstopped\tabandoned\trejoined\tkept out\tfenced\treopened\twith loss\tproofs\tmishaps\trestarts\treloads\tsteps")
	var sum Drills
	for i, f := range Faults() {
		r := &reports[i]
		if r.Histories > 0 {
			row(w, f.Name, r)
			sum.add(r)
		}
	}
	row(w, "all", &sum)
	_ = w.Flush()
	return b.String()
}

func row(w *tabwriter.Writer, name string, r *Drills) {
	fmt.Fprintf(w, "%s\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\t%d\n", name, r.Histories, r.Failovers, r.Switchovers,
		r.Completed, r.RolledBack, r.Stopped, r.Abandoned, r.Rejoins, r.KeptOut, r.Fenced, r.Reopened, r.Lossy, r.Proofs, r.Mischiefs, r.Restarts, r.Reloads, r.Steps)
}

func (r *Drills) add(o *Drills) {
	r.Histories += o.Histories
	r.Steps += o.Steps
	r.Mischiefs += o.Mischiefs
	r.Restarts += o.Restarts
	r.Reloads += o.Reloads
	r.Failovers += o.Failovers
	r.Switchovers += o.Switchovers
	r.Completed += o.Completed
	r.RolledBack += o.RolledBack
	r.Stopped += o.Stopped
	r.Abandoned += o.Abandoned
	r.Rejoins += o.Rejoins
	r.KeptOut += o.KeptOut
	r.Reopened += o.Reopened
	r.Fenced += o.Fenced
	r.Lossy += o.Lossy
	r.Proofs += o.Proofs
}

func TestOneSeedIsOneDrill(t *testing.T) {
	var once sync.Map
	for _, fault := range Faults() {
		var a, b Drills
		errA, errB := RunDrill(fault, 7, &a, nil), RunDrill(fault, 7, &b, nil)
		if a != b || (errA == nil) != (errB == nil) {
			t.Errorf("fault %q, seed 7 gave %+v and then %+v", fault.Name, a, b)
		}
		if _, twice := once.LoadOrStore(fault.Name, true); twice {
			t.Errorf("two faults are called %q", fault.Name)
		}
	}
}
