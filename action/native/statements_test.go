package native

import (
	"strings"
	"testing"

	"mpp"
)

// kinds are the steps that are done by SQL.
func kinds() []mpp.StepKind {
	var list []mpp.StepKind
	for k := range actions() {
		list = append(list, k)
	}
	return list
}

func TestStatementsAreShownForEveryStepWithoutPasswords(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.useRunner(Options{LockAccounts: []string{"app@%"}, Block: BlockLock})
		for _, k := range kinds() {
			for _, detail := range []string{"", Lock, Offline, RoleReplica} {
				list := w.runner.Statements(mpp.Step{Kind: k, Node: w.addr(1), Peer: w.addr(0), GTID: "x", Detail: detail})
				text := strings.Join(list, "\n")
				if k != mpp.StepStopConnections && k != mpp.StepAllowConnections && text == "" {
					t.Errorf("%s %s: nothing is shown", k, detail)
				}
				for _, secret := range []string{w.pool.Failover.Password, w.pool.Repl.Password} {
					if strings.Contains(text, secret) {
						t.Errorf("%s: a password is shown: %s", k, text)
					}
				}
			}
		}
		text := strings.Join(w.runner.Statements(mpp.Step{Kind: mpp.StepRepoint, Node: w.addr(1), Peer: w.addr(0)}), "\n")
		want := []string{"SOURCE_HOST = '127.0.0.1'", "PASSWORD = '***'", "START REPLICA", "super_read_only = 1"}
		if w.mariaDB() {
			want = []string{"MASTER_HOST = '127.0.0.1'", "PASSWORD = '***'", "START SLAVE", "ACCOUNT LOCK"}
		}
		for _, part := range want {
			if !strings.Contains(text, part) {
				t.Errorf("%q is not in:\n%s", part, text)
			}
		}
		if got := w.runner.Statements(mpp.Step{Kind: mpp.StepPromote, Node: "nobody:1"}); got != nil {
			t.Errorf("of an unknown node: %v", got)
		}
	})
}

func TestStepsThatAreNotDoneHereAreSaid(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.fails("not done by SQL", mpp.StepAddAddress, 0)
		got := w.runner.Run(t.Context(), mpp.Step{Kind: mpp.StepPosition, Node: "nobody:1"})
		if got.Done || got.Unreachable {
			t.Errorf("%+v", got)
		}
	})
}
