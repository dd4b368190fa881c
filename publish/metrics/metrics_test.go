package metrics_test

import (
	"io"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"

	"mpp"
	"mpp/publish/metrics"
	"mpp/publish/publishtest"
)

func scrape(t *testing.T, m *metrics.Metrics, accept string) string {
	t.Helper()
	r := httptest.NewRequest("GET", "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	m.Handler().ServeHTTP(w, r)
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	text, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ours are the lines of MPP itself, without those that depend on the machine or the time.
func ours(text string) string {
	var keep strings.Builder
	for line := range strings.Lines(text) {
		if strings.Contains(line, "mpp_") && !strings.Contains(line, "mpp_build_info{") &&
			!strings.Contains(line, "timestamp_seconds{") && !strings.Contains(line, "mpp_start_time_seconds ") {
			keep.WriteString(line)
		}
	}
	return keep.String()
}

func TestMetricsShowTheView(t *testing.T) {
	now := time.Now()
	m := metrics.New(metrics.Options{
		View: func() *mpp.View { return publishtest.WithEngine(now) },
		Daemon: func() metrics.Daemon {
			return metrics.Daemon{
				JournalBytes: 4096, InboxLength: 2, LateSeconds: 0.05, Subscribers: -1,
				Polling: &metrics.Polling{Polls: 1000, Hung: 2, Discarded: 1, Running: 3, LateP99: 5 * time.Millisecond},
				Journal: &metrics.Journal{Records: 7, Bytes: 2048, Syncs: 5, Failures: 1},
			}
		},
	})
	m.Event(mpp.Event{Kind: mpp.EventState, Severity: mpp.Critical})
	m.Event(mpp.Event{Kind: mpp.EventState, Severity: mpp.Critical})
	failover := publishtest.Failover(now)
	m.Ended(&failover)
	m.Ended(&mpp.Operation{Pool: "db3", Kind: mpp.OpRejoin, Outcome: mpp.Stopped})
	golden := filepath.Join("testdata", "metrics.txt")
	got := ours(scrape(t, m, ""))
	if os.Getenv("MPP_UPDATE") != "" {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got), MPP_UPDATE=1 rewrites it:\n%s", golden, diff)
	}
}

func TestTimesAndStaleDataAreShown(t *testing.T) {
	polled := time.Now().Add(-time.Minute)
	text := scrape(t, metrics.New(metrics.Options{View: func() *mpp.View { return publishtest.View(polled) }}), "")
	stamp := strconv.FormatFloat(float64(polled.UnixMilli())/1000, 'g', -1, 64)
	for _, line := range []string{
		`mpp_node_last_poll_timestamp_seconds{node="10.0.0.1:3306",pool="db1"} ` + stamp,
		`mpp_node_last_poll_timestamp_seconds{node="db4.example.com:3307",pool="db1"} 0`,
		`mpp_node_up{node="10.0.0.1:3306",pool="db1"} 0`,
		`mpp_node_up{node="[2001:db8::1]:3306",pool="db2"} 1`, // when_stale = last_known
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing in\n%s", line, text)
		}
	}
}

func TestMetricsFollowTheConventions(t *testing.T) {
	m := metrics.New(metrics.Options{
		View:   func() *mpp.View { return publishtest.WithEngine(time.Now()) },
		Daemon: func() metrics.Daemon { return metrics.Daemon{Polling: &metrics.Polling{}, Journal: &metrics.Journal{}} },
	})
	m.Event(mpp.Event{Kind: mpp.EventPool})
	failover := publishtest.Failover(time.Now())
	m.Ended(&failover)
	problems, err := promlint.New(strings.NewReader(scrape(t, m, ""))).Lint()
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if text := scrape(t, m, "application/openmetrics-text; version=1.0.0"); !strings.HasSuffix(text, "# EOF\n") {
		t.Error("OpenMetrics was asked for and not given")
	}
}

func TestNodesThatAreGoneLeaveNoSeries(t *testing.T) {
	var view atomic.Pointer[mpp.View]
	now := time.Now()
	view.Store(publishtest.WithEngine(now))
	m := metrics.New(metrics.Options{View: view.Load})
	failover := publishtest.Failover(now)
	m.Ended(&failover)
	if text := scrape(t, m, ""); !strings.Contains(text, publishtest.Dead) || !strings.Contains(text, "mpp_last_failover_outage_seconds") {
		t.Fatal("a node, or the failover, is missing")
	}
	next := publishtest.View(now)
	next.Pools = next.Pools[1:]
	view.Store(next)
	if text := scrape(t, m, ""); strings.Contains(text, "db1") || strings.Contains(text, "db3") || !strings.Contains(text, publishtest.V6) {
		t.Errorf("after db1 was taken out:\n%s", ours(text))
	}
}

func TestFailoverOfARunBeforeIsTheLastOneButIsNotCounted(t *testing.T) {
	now := time.Now()
	m := metrics.New(metrics.Options{View: func() *mpp.View { return publishtest.WithEngine(now) }})
	newer, older, undone := publishtest.Failover(now), publishtest.Failover(now.Add(-time.Hour)), publishtest.Failover(now)
	undone.Opened, undone.Outcome = time.Time{}, mpp.Stopped
	m.Known(&newer)
	m.Known(&older)
	m.Ended(&undone) // it let nobody in
	text := scrape(t, m, "")
	for _, line := range []string{
		`mpp_last_failover_timestamp_seconds{pool="db3"} ` + strconv.FormatFloat(float64(newer.Opened.UnixMilli())/1000, 'g', -1, 64),
		`mpp_last_failover_outage_seconds{pool="db3"} 0.512`,
		`mpp_operations_total{kind="failover",outcome="completed",pool="db3"} 0`,
		`mpp_operations_total{kind="failover",outcome="stopped",pool="db3"} 1`,
	} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("%s is missing in\n%s", line, text)
		}
	}
}

func TestPoolOfWhichReadinessIsNotKnownIsNotReady(t *testing.T) {
	view := publishtest.WithEngine(time.Now())
	view.Pools[2].Readiness, view.Pools[2].Nodes[0].VirtualAddress.Known = nil, false
	text := scrape(t, metrics.New(metrics.Options{View: func() *mpp.View { return view }}), "")
	if !strings.Contains(text, `mpp_pool_ready{pool="db3"} 0`) || strings.Contains(text, `mpp_virtual_address_holder{node="10.0.3.1:3306"`) {
		t.Error(text)
	}
	old := publishtest.WithEngine(time.Now().Add(-time.Minute))
	if text := scrape(t, metrics.New(metrics.Options{View: func() *mpp.View { return old }}), ""); !strings.Contains(text, `mpp_pool_ready{pool="db3"} 0`) {
		t.Error("a readiness of a minute ago is shown as one of now")
	}
}

func TestBeforeTheFirstViewAndWithOddChecksAScrapeStillWorks(t *testing.T) {
	m := metrics.New(metrics.Options{View: func() *mpp.View { return nil }})
	if !strings.Contains(scrape(t, m, ""), "mpp_build_info{") {
		t.Error("build info is missing")
	}
	twice := publishtest.View(time.Now())
	o := twice.Pools[0].Nodes[0].Observation
	o.Checks = append(o.Checks, o.Checks[0], mpp.CheckResult{Name: "custom:\xff \"x\"\n"})
	m = metrics.New(metrics.Options{View: func() *mpp.View { return twice }})
	r := httptest.NewRecorder()
	m.Handler().ServeHTTP(r, httptest.NewRequest("GET", "/metrics", nil))
	if r.Code != 200 || strings.Count(r.Body.String(), `check="connect",node="10.0.0.1:3306"`) != 1 {
		t.Errorf("status %d: the other checks are missing", r.Code)
	}
}
