package scenario_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/lab/labtest"
)

// benchVar is the environment variable that asks for the benchmark; its value is the file whose
// section is written, "-" for none.
const benchVar = "MPP_BENCH_FAILOVER"

// The lines between which docs/benchmarks.md holds what this test measured.
const (
	benchBegin = "<!-- made by make bench-failover -->"
	benchEnd   = "<!-- end of what make bench-failover made -->"
)

// benchJobs are the outages that are measured, in the order of the page.
func benchJobs() []job {
	const runs = 10
	var jobs []job
	for _, f := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MySQL97} {
		for i, s := range table() {
			if slices.Contains([]string{"A1", "A2", "A3", "A4", "A7", "A10", "C1"}, s.id) {
				jobs = append(jobs, job{s, i, f, runs})
			}
			if s.id == "A1" {
				s.id, s.what = "A1 fast", s.what+", `preset = \"fast\"`"
				s.setup.failover = "preset = \"fast\""
				s.limits, s.expected = limits{200 * time.Millisecond, 0}, "0.2 s"
				jobs = append(jobs, job{s, i, f, runs})
			}
		}
	}
	return jobs
}

// TestBenchFailover measures outages, and where their time goes.
func TestBenchFailover(t *testing.T) {
	page := os.Getenv(benchVar)
	if page == "" {
		t.Skip("make bench-failover measures")
	}
	labtest.Need(t)
	s := &stage{bases: map[sandbox.Flavour]sandbox.Base{}}
	defer func() {
		if err := s.drop(); err != nil {
			t.Error(err)
		}
	}()
	only := words(os.Getenv("MPP_LAB_ONLY"))
	flavours := words(os.Getenv("MPP_LAB_FLAVOUR"))
	var rows []row
	for _, j := range grouped(benchJobs()) {
		if len(only) > 0 && !slices.Contains(only, strings.ReplaceAll(j.id, " ", "-")) || len(flavours) > 0 && !slices.Contains(flavours, string(j.flavour)) {
			continue
		}
		t.Run(j.id+"/"+string(j.flavour), func(t *testing.T) { rows = append(rows, s.play(t, j)) })
	}
	text := benchText(rows, s.bases)
	fmt.Fprint(os.Stderr, text)
	if page == "-" {
		return
	}
	if err := replaceSection(page, text); err != nil {
		t.Error(err)
	}
}

// replaceSection puts a text between the two lines of a page.
func replaceSection(path, text string) error {
	page, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	before, rest, found := strings.Cut(string(page), benchBegin)
	_, after, ended := strings.Cut(rest, benchEnd)
	if !found || !ended {
		return fmt.Errorf("%s has no lines %q and %q", path, benchBegin, benchEnd)
	}
	return os.WriteFile(path, []byte(before+benchBegin+"\n\n"+text+"\n"+benchEnd+after), 0o644)
}

// others are what was measured of other programs on the same kind of machine, on MariaDB 10.11.
func others() [][]string {
	return [][]string{
		{"others, after `kill -9`", "MHA 0.58, defaults", "", "15.3 s", "", ""},
		{"", "MHA 0.58, ping every second", "", "7.3 s", "", ""},
		{"", "orchestrator", "", "3.9 s", "", ""},
		{"", "orchestrator, fastest settings", "", "1.7 s", "", ""},
		{"", "replication-manager, defaults", "", "15.5 s", "", ""},
		{"", "replication-manager, fastest: fails over on one missed poll", "", "0.66 s", "", ""},
		{"others, planned switch", "MHA 0.58", "", "0.43 s", "", ""},
		{"", "orchestrator, without moving an address", "", "0.08 to 0.10 s", "", ""},
		{"", "replication-manager, without moving an address", "", "0.04 s", "", ""},
	}
}

// benchText is the section.
func benchText(rows []row, bases map[sandbox.Flavour]sandbox.Base) string {
	var b strings.Builder
	fmt.Fprintf(&b, "Measured on %s: %s. Load average when it ended: %s.\n\n", time.Now().Format("2006-01-02"), machine(bases), load())
	b.WriteString(markdown([]string{"", "what happens", "runs", "median", "worst", "goal"}, func(add func([]string)) {
		for i := range rows {
			w := &rows[i]
			middle, worst := "", ""
			if len(w.times) > 0 {
				middle, worst = round(w.median()).String(), round(w.worst()).String()
			}
			runs := fmt.Sprintf("%d", w.good)
			if w.good < w.count {
				runs = fmt.Sprintf("%d of %d", w.good, w.count)
			}
			add([]string{w.id + ", " + string(w.flavour), w.what, runs, middle, worst, w.expected})
		}
		for _, o := range others() {
			add(o)
		}
	}))
	b.WriteString("\nWhere the time goes: the median of each part, in milliseconds.\n\n")
	columns := partNames(rows)
	b.WriteString(markdown(append([]string{""}, columns...), func(add func([]string)) {
		for i := range rows {
			w := &rows[i]
			if len(w.shares) == 0 {
				continue
			}
			cells := []string{w.id + ", " + string(w.flavour)}
			for _, name := range columns {
				cells = append(cells, partMedian(w.shares, name))
			}
			add(cells)
		}
	}))
	return b.String()
}

// partNames are all parts that an outage had, in order of appearance; the first write last.
func partNames(rows []row) []string {
	order := []string{"seen", "sure", "before the cut", "fence", "cut", "final", "drain", "complete", "tail", "catch-up", "promote", "address", "first write"}
	var list []string
	for _, name := range order {
		for i := range rows {
			if partMedian(rows[i].shares, name) != "" {
				list = append(list, name)
				break
			}
		}
	}
	return list
}

// partMedian is the median of one part in milliseconds, "" when no run had it.
func partMedian(shares []share, name string) string {
	var times []time.Duration
	for _, s := range shares {
		for _, p := range s.phases {
			if p.name == name {
				times = append(times, p.took)
			}
		}
	}
	if len(times) == 0 {
		return ""
	}
	return fmt.Sprintf("%.1f", float64(median(times).Microseconds())/1000)
}

// load is the machine's load average.
func load() string {
	text, err := os.ReadFile("/proc/loadavg")
	if err != nil {
		return "unknown"
	}
	one, _, _ := strings.Cut(string(text), " ")
	return one
}
