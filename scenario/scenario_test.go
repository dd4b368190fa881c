package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/lab/labtest"
	"mpp/sandbox/sandboxtest"
)

// job is a scenario on one flavour.
type job struct {
	scenario
	order   int // in the table
	flavour sandbox.Flavour
	count   int
}

// chosen lists the jobs that the environment asks for, those with equal labs together.
func chosen(t *testing.T) []job {
	all := os.Getenv("MPP_LAB") == "all"
	only := words(os.Getenv("MPP_LAB_ONLY"))
	flavours := words(os.Getenv("MPP_LAB_FLAVOUR"))
	count := number(t, "MPP_LAB_RUNS", 0)
	var jobs []job
	for i, s := range table() {
		if len(only) > 0 && !slices.Contains(only, s.id) || len(only) == 0 && !all && !s.fast {
			continue
		}
		for n, f := range append([]sandbox.Flavour{sandbox.MariaDB1011}, s.flavours...) {
			if len(flavours) > 0 && !slices.Contains(flavours, string(f)) || len(flavours) == 0 && !all && n > 0 {
				continue
			}
			j := job{s, i, f, max(1, s.runs)}
			if n > 0 {
				j.count = max(1, s.again)
			}
			if !all {
				j.count = 1
			}
			if count > 0 {
				j.count = count
			}
			jobs = append(jobs, j)
		}
	}
	return grouped(jobs)
}

// grouped puts jobs with the same lab behind the first of them.
func grouped(jobs []job) []job {
	var out []job
	for len(jobs) > 0 {
		first := jobs[0]
		var rest []job
		for _, j := range jobs {
			if j.flavour == first.flavour && j.setup == first.setup && !j.fresh == !first.fresh {
				out = append(out, j)
			} else {
				rest = append(rest, j)
			}
		}
		jobs = rest
	}
	return out
}

func words(text string) []string {
	return strings.FieldsFunc(text, func(c rune) bool { return c == ',' || c == ' ' })
}

// number reads a variable of the environment.
func number(t *testing.T, name string, usual int) int {
	text := os.Getenv(name)
	if text == "" {
		return usual
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// stage keeps the lab between runs.
type stage struct {
	world *world
	bases map[sandbox.Flavour]sandbox.Base
}

// worldFor returns a lab for a job: the one that is up, if it fits.
func (s *stage) worldFor(ctx context.Context, t *testing.T, j job) (*world, error) {
	if w := s.world; w != nil {
		if w.flavour == j.flavour && w.setup == j.setup {
			return w, nil
		}
		if err := s.drop(); err != nil {
			return nil, err
		}
	}
	base, known := s.bases[j.flavour]
	if !known {
		base = sandboxtest.Base(t, j.flavour)
		s.bases[j.flavour] = base
	}
	var log strings.Builder
	w, err := newWorld(ctx, base, j.setup, &log)
	if err != nil {
		return nil, fmt.Errorf("bring the lab up: %w\n%s", err, log.String())
	}
	s.world = w
	return w, nil
}

// drop takes the lab down.
func (s *stage) drop() error {
	w := s.world
	s.world = nil
	if w == nil {
		return nil
	}
	return w.close()
}

// TestScenarios goes through the table.
func TestScenarios(t *testing.T) {
	labtest.Need(t)
	jobs := chosen(t)
	s := &stage{bases: map[sandbox.Flavour]sandbox.Base{}}
	defer func() {
		if err := s.drop(); err != nil {
			t.Error(err)
		}
	}()
	var rows []row
	began := time.Now()
	for _, j := range jobs {
		t.Run(j.id+"/"+string(j.flavour), func(t *testing.T) { rows = append(rows, s.play(t, j)) })
	}
	slices.SortStableFunc(rows, func(a, b row) int { return a.order - b.order })
	tell(t, rows, s.bases, time.Since(began))
}

// play runs a job as often as it is to be, and sums up.
func (s *stage) play(t *testing.T, j job) row {
	out := row{job: j}
	first := number(t, "MPP_LAB_FIRST", 1)
	for n := first; n < first+j.count; n++ {
		r, err := s.once(t, j, n)
		if err != nil {
			out.failed = append(out.failed, err.Error())
			t.Errorf("run %d: %v", n, err)
		}
		if r != nil {
			out.take(r, err)
		}
		if t.Context().Err() != nil {
			break
		}
	}
	if late := out.late(); late != "" {
		t.Error(late)
	}
	return out
}

// once is one run. A lab that cannot be used again is taken down.
func (s *stage) once(t *testing.T, j job, n int) (r *run, err error) {
	ctx, cancel := context.WithTimeout(t.Context(), runLimit)
	defer cancel()
	w, err := s.worldFor(ctx, t, j)
	if err != nil {
		return nil, err
	}
	began := time.Now()
	r = &run{world: w, t: t, number: n, pool: w.lab.Pools[0]}
	err = j.act(ctx, r)
	if r.writer != nil {
		r.writer.Stop()
	}
	t.Logf("run %d: %s took %s, in %s %s", n, j.id, r.took.Round(time.Millisecond), time.Since(began).Round(10*time.Millisecond), strings.Join(r.remarks, "; "))
	if err != nil || os.Getenv("MPP_LAB_KEEP") != "" {
		w.keepLogs(t, fmt.Sprintf("%s-%s-%d", j.id, j.flavour, n))
	}
	if err != nil {
		t.Logf("the end of mppd's log:\n%s", w.lab.MppdLog())
	}
	if err != nil || j.fresh {
		err = errors.Join(err, s.drop())
	}
	return r, err
}
