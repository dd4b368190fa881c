package metrics

import (
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mpp"
)

func scrape(t *testing.T, v *mpp.View) string {
	t.Helper()
	h := Handler(Options{
		View:    func() *mpp.View { return v },
		Polling: func() Polling { return Polling{Polls: 7, LatenessP99: 3 * time.Millisecond} },
		Journal: func() Journal { return Journal{Records: 5} },
	})
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/metrics", nil))
	if w.Code != 200 {
		t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Body.String()
}

func view(nodes ...string) *mpp.View {
	now := time.Unix(1000, 0)
	p := mpp.PoolView{Name: "p", StaleAfter: 5 * time.Second, Problems: []mpp.Problem{{Code: "no-standby", Severity: mpp.Warn}}}
	for i, address := range nodes {
		n := mpp.NodeView{Address: address, Type: mpp.Secondary, State: mpp.Standby, Evaluation: mpp.ReadOnly, LastPoll: now}
		if i == 0 {
			n.Type, n.State, n.Evaluation = mpp.Primary, mpp.Active, mpp.ReadWrite
		}
		n.Observation = &mpp.Observation{
			Node: address, Lag: 1500 * time.Millisecond, LagKnown: i > 0, Server: mpp.Server{Flavour: "mariadb", ReadOnly: i > 0},
			Checks: []mpp.CheckResult{{Name: "connect", Class: mpp.Reach, Status: mpp.Critical}},
		}
		p.Nodes = append(p.Nodes, n)
	}
	return &mpp.View{At: now, Ready: true, Pools: []mpp.PoolView{p}}
}

func TestTheViewIsShown(t *testing.T) {
	text := scrape(t, view("a:1", "b:1"))
	for _, want := range []string{
		`mpp_node_state{node="a:1",pool="p",state="ACTIVE",type="PRIMARY"} 1`,
		`mpp_node_state{node="a:1",pool="p",state="STANDBY",type="PRIMARY"} 0`,
		`mpp_node_writer{node="a:1",pool="p"} 1`,
		`mpp_node_writer{node="b:1",pool="p"} 0`,
		`mpp_node_replication_lag_seconds{node="b:1",pool="p"} 1.5`,
		`mpp_check_status{check="connect",node="b:1",pool="p"} 3`,
		`mpp_pool_problems{code="no-standby",pool="p",severity="WARN"} 1`,
		`mpp_pool_active_nodes{pool="p"} 1`,
		`mpp_polls_total 7`, `mpp_journal_records_total 5`, `mpp_ready 1`,
	} {
		if !strings.Contains(text, want+"\n") {
			t.Errorf("%s is missing", want)
		}
	}
	if strings.Contains(text, `mpp_node_replication_lag_seconds{node="a:1"`) {
		t.Error("a lag is shown for a node whose lag is not known")
	}
}

func TestARemovedNodeLeavesNoSeries(t *testing.T) {
	v := view("a:1", "b:1")
	if !strings.Contains(scrape(t, v), `"b:1"`) {
		t.Fatal("b:1 is not shown while it is there")
	}
	if strings.Contains(scrape(t, view("a:1")), `"b:1"`) {
		t.Error("b:1 is still shown after it was removed")
	}
}
