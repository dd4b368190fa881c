package scenario_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"testing"
	"text/tabwriter"
	"time"

	"mpp/sandbox"
)

// lenience is how much longer than in the lab something may take in a test that runs beside
// others: there it is only to be seen that it works.
const lenience = 4

// row is a line of the summary.
type row struct {
	job
	times   []time.Duration
	good    int
	failed  []string
	remarks []string
	// shares are how long each step of the plan took, by run.
	shares []share
}

// take adds a run.
func (w *row) take(r *run, err error) {
	if err != nil {
		return
	}
	w.good++
	if r.measured {
		w.times = append(w.times, r.took)
	}
	if r.op != nil {
		w.shares = append(w.shares, shareOf(r))
	}
	for _, text := range r.remarks {
		if !slices.Contains(w.remarks, text) {
			w.remarks = append(w.remarks, text)
		}
	}
}

func (w *row) median() time.Duration { return median(w.times) }

func median(times []time.Duration) time.Duration {
	if len(times) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(times))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}

func (w *row) worst() time.Duration {
	if len(w.times) == 0 {
		return 0
	}
	return slices.Max(w.times)
}

// late says what took longer than it may, "" for nothing.
func (w *row) late() string {
	factor := time.Duration(1)
	if os.Getenv("MPP_LAB") != "all" {
		factor = lenience
	}
	l := w.limits
	switch {
	case l.median > 0 && factor == 1 && w.median() > l.median:
		return fmt.Sprintf("the median is %s, and %s is allowed", round(w.median()), l.median)
	case l.worst > 0 && w.worst() > factor*l.worst:
		return fmt.Sprintf("the worst is %s, and %s is allowed", round(w.worst()), factor*l.worst)
	default:
		return ""
	}
}

func (w *row) verdict() string {
	switch {
	case w.good < w.count:
		return fmt.Sprintf("FAILED %d", w.count-w.good)
	case w.late() != "":
		return "TOO LATE"
	default:
		return "passed"
	}
}

// round keeps three figures or so.
func round(d time.Duration) time.Duration {
	switch {
	case d > 10*time.Second:
		return d.Round(100 * time.Millisecond)
	case d > time.Second:
		return d.Round(10 * time.Millisecond)
	default:
		return d.Round(time.Millisecond)
	}
}

// cells are a row as text: id, flavour, runs, median, worst, expected, verdict.
func (w *row) cells() []string {
	middle, worst := "", ""
	if len(w.times) > 0 {
		middle, worst = round(w.median()).String(), round(w.worst()).String()
	}
	return []string{w.id, string(w.flavour), fmt.Sprintf("%d", w.count), middle, worst, w.expected, w.verdict()}
}

// heads are the columns.
func heads() []string {
	return []string{"id", "server", "runs", "median", "worst", "expected", "verdict"}
}

// tell prints the summary, and writes it to the file that MPP_LAB_DOC names.
func tell(t *testing.T, rows []row, bases map[sandbox.Flavour]sandbox.Base, took time.Duration) {
	var b bytes.Buffer
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, strings.Join(heads(), "\t"))
	for i := range rows {
		fmt.Fprintln(w, strings.Join(rows[i].cells(), "\t"))
	}
	_ = w.Flush()
	fmt.Fprintf(os.Stderr, "\n%s%d scenarios in %s\n", b.String(), len(rows), took.Round(time.Second))
	path := os.Getenv("MPP_LAB_DOC")
	if path == "" {
		return
	}
	text := document(rows, bases, took)
	if old, err := os.ReadFile(path); err == nil && (os.Getenv("MPP_LAB_ONLY") != "" || os.Getenv("MPP_LAB_FLAVOUR") != "") {
		text = merged(string(old), text)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Error(err)
	}
}

// merged is an older summary with the lines of a later run of some scenarios in the place of its own.
func merged(old, fresh string) string {
	later := map[string]string{}
	table := 0
	for line := range strings.Lines(fresh) {
		if key := rowKey(line, &table); key != "" {
			later[key] = line
		}
	}
	var b strings.Builder
	table = 0
	for line := range strings.Lines(old) {
		if l, found := later[rowKey(line, &table)]; found {
			line = l
		}
		b.WriteString(line)
	}
	return b.String()
}

// rowKey tells a line of the summary's two tables from all others: its table, id, and server in the first.
// It is empty for what is no such line.
func rowKey(line string, table *int) string {
	cells := strings.Split(line, " | ")
	switch {
	case !strings.HasPrefix(line, "| ") || len(cells) < 4:
		return ""
	case cells[0] == "| id":
		*table++
		return ""
	case cells[0] == "| ---":
		return ""
	case *table == 1:
		return "1 " + cells[0] + " " + cells[1]
	default:
		return fmt.Sprint(*table, " ", cells[0])
	}
}

// document is docs/scenarios.md.
func document(rows []row, bases map[sandbox.Flavour]sandbox.Base, took time.Duration) string {
	var b strings.Builder
	b.WriteString(`# What was survived

The scenarios that MPP is held to, with real servers in a lab of network namespaces: each on a host of its own with an sshd, mppd on a
host, and clients that write through the virtual address every 2 ms. This page is written by ` + "`make test-lab`" + `, which repeats all
of it; with MPP_LAB_ONLY it repeats some of the lines, and replaces those.

`)
	fmt.Fprintf(&b, "Measured on %s in %s: %s.\n\n", time.Now().Format("2006-01-02"), took.Round(time.Second), machine(bases))
	b.WriteString(`Times are outages, from the last acknowledged write before the fault to the first one after, unless the line says
otherwise. Every run is judged from outside: one server takes writes and no other, one host has the address, the
neighbours of a client that was silent know it, all other servers replicate from the new writer, all copies have the same GTIDs and rows in
the end, no write was acknowledged by two, none that was acknowledged is missing (without semi-sync: unless the report says that it may be), and the report says
what happened. Then the lost server comes back, and the run has passed when MPP has made the pool whole by itself. Nothing is left of a
lab in the end: no process, no namespace, no mount.

`)
	b.WriteString(markdown(heads(), func(add func([]string)) {
		for i := range rows {
			add(rows[i].cells())
		}
	}))
	b.WriteString("\n## What each one is\n\n")
	b.WriteString(markdown([]string{"id", "what happens", "what is measured", "seen"}, func(add func([]string)) {
		seen := map[string]bool{}
		for i := range rows {
			w := &rows[i]
			if !seen[w.id] {
				seen[w.id] = true
				add([]string{w.id, w.what, w.measured(), strings.Join(remarksOf(rows, w.id), "; ")})
			}
		}
	}))
	b.WriteString("\n" + elsewhere())
	return b.String()
}

func (w *row) measured() string {
	if w.measures == "" && w.limits.worst > 0 {
		return "outage of writes"
	}
	return w.measures
}

func remarksOf(rows []row, id string) []string {
	var all []string
	for i := range rows {
		if rows[i].id != id {
			continue
		}
		for _, text := range rows[i].remarks {
			if !slices.Contains(all, text) {
				all = append(all, text)
			}
		}
	}
	return all
}

// markdown draws a table.
func markdown(heads []string, fill func(add func([]string))) string {
	var b strings.Builder
	line := func(cells []string) { b.WriteString("| " + strings.Join(cells, " | ") + " |\n") }
	line(heads)
	b.WriteString(strings.Repeat("| --- ", len(heads)) + "|\n")
	fill(line)
	return b.String()
}

// machine describes what it ran on.
func machine(bases map[sandbox.Flavour]sandbox.Base) string {
	cpu := "unknown processor"
	text, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(text)) {
		if name, model, _ := strings.Cut(line, ":"); strings.TrimSpace(name) == "model name" {
			cpu = strings.TrimSpace(model)
			break
		}
	}
	kernel, _ := os.ReadFile("/proc/sys/kernel/osrelease")
	parts := []string{
		fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), cpu), "Linux " + strings.TrimSpace(string(kernel)), runtime.Version(),
	}
	var servers []string
	for flavour, base := range bases {
		product, _, _ := strings.Cut(string(flavour), "-")
		servers = append(servers, map[string]string{"mariadb": "MariaDB", "mysql": "MySQL"}[product]+" "+base.Version.String())
	}
	slices.Sort(servers)
	return strings.Join(append(parts, servers...), ", ") + "; servers' files in memory, flushing off"
}

// goTests lists the tests of a package that are there.
func goTests(pkg string) (string, error) {
	out, err := exec.Command("go", "test", "-list", ".", pkg).CombinedOutput()
	return string(out), err
}

func TestALaterRunOfSomeScenariosReplacesTheirLines(t *testing.T) {
	page := func(a1, a2, seen string) string {
		return "# Title\n\n" + markdown(heads(), func(add func([]string)) {
			add([]string{"A1", "mariadb-10.11", "10", a1, "x", "y", "passed"})
			add([]string{"A1", "mysql-9.7", "10", "0.4 s", "x", "y", "passed"})
			if a2 != "" {
				add([]string{"A2", "mariadb-10.11", "10", a2, "x", "y", "passed"})
			}
		}) + "\n## What\n\n" + markdown([]string{"id", "what happens", "what is measured", "seen"}, func(add func([]string)) {
			add([]string{"A1", "kill", "outage", seen})
			if a2 != "" {
				add([]string{"A2", "stop", "outage", ""})
			}
		}) + "\nThe end.\n"
	}
	if got, want := merged(page("0.3 s", "0.5 s", "nothing"), page("0.2 s", "", "less")), page("0.2 s", "0.5 s", "less"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
