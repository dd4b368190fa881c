package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"mpp/publish/publishtest"
)

// runs is how often each program is started; the medians are of so many.
const runs = 300

// BenchmarkExecToExit measures what a load balancer pays for one check: from exec to exit,
// for mpp-check that answers yes, for the same through its wrapper, for /bin/true, and for a
// Go program that does nothing, in turn, so that all see the same machine.
func BenchmarkExecToExit(b *testing.B) {
	h := polled(b, 0)
	keep := time.Now()
	programs := map[string][]string{
		"mpp-check": {installed("bin", "mpp-check"), "--run-dir", h.run, "writer", "db1", publishtest.Active},
		"wrapper":   {installed("libexec", "mpp", "keepalived-writer"), "--run-dir", h.run, "db1", publishtest.Active},
		"true":      {"/bin/true"},
		"empty":     {emptyProgram(b)},
	}
	info, err := os.Stat(installed("bin", "mpp-check"))
	if err != nil {
		b.Fatal(err)
	}
	var took map[string][]time.Duration
	for b.Loop() {
		took = map[string][]time.Duration{}
		for range runs {
			if time.Since(keep) > time.Second {
				h.rewrite()
				keep = time.Now()
			}
			for name, call := range programs {
				c := exec.Command(call[0], call[1:]...)
				begin := time.Now()
				if err := c.Run(); err != nil {
					b.Fatalf("%s: %v", name, err)
				}
				took[name] = append(took[name], time.Since(begin))
			}
		}
	}
	median := func(name string) float64 {
		slices.Sort(took[name])
		return float64(took[name][runs/2].Microseconds()) / 1000
	}
	b.ReportMetric(median("mpp-check"), "ms-median")
	b.ReportMetric(float64(took["mpp-check"][runs*99/100].Microseconds())/1000, "ms-p99")
	b.ReportMetric(median("true"), "ms-true")
	b.ReportMetric(median("empty"), "ms-empty-go")
	b.ReportMetric(median("mpp-check")/median("true"), "times-true")
	b.ReportMetric(median("wrapper"), "ms-wrapper")
	b.ReportMetric(float64(info.Size()), "bytes-file")
	b.ReportMetric(0, "ns/op")
}

// emptyProgram builds a Go program that does nothing: what Go itself takes to start and end.
func emptyProgram(b *testing.B) string {
	b.Helper()
	dir := b.TempDir()
	source, program := filepath.Join(dir, "main.go"), filepath.Join(dir, "empty")
	if err := os.WriteFile(source, []byte("package main\n\nfunc main() {}\n"), 0o600); err != nil {
		b.Fatal(err)
	}
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", program, source)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return program
}
