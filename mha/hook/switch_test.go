package hook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestMHAIsCalledAsMHAHelperDidWithTargetAndLimits(t *testing.T) {
	got := []string{}
	for _, s := range []Switch{
		{Conf: "/etc/mha/app.cnf", Dead: "db1", UpdatesLimit: -1, QueriesLimit: -1, LagLimit: -1},
		{Conf: "a.cnf", Dead: "db1:3307", DeadIP: "10.0.0.1", To: "[fd00::2]:3308", SSH: "no", Global: "g.cnf"},
		{Conf: "a.cnf", UpdatesLimit: -1, QueriesLimit: -1, LagLimit: -1},
		{Conf: "a.cnf", To: "db2:3307", LeaveOld: true, CheckOnly: true, UpdatesLimit: 0, QueriesLimit: 5, LagLimit: 9},
		{Conf: "a.cnf", Dead: "fd00::1", SSH: "yes"},
	} {
		args, err := s.Args()
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, strings.Join(args, " "))
	}
	want := []string{
		"--conf=/etc/mha/app.cnf --interactive=0 --master_state=dead --ignore_last_failover --dead_master_host=db1",
		"--conf=a.cnf --interactive=0 --global_conf=g.cnf --new_master_host=fd00::2 --new_master_port=3308 --master_state=dead --ignore_last_failover --dead_master_host=db1 --dead_master_port=3307 --dead_master_ip=10.0.0.1 --ssh_reachable=0",
		"--conf=a.cnf --interactive=0 --master_state=alive --orig_master_is_new_slave",
		"--conf=a.cnf --interactive=0 --new_master_host=db2 --new_master_port=3307 --master_state=alive --check_only --running_updates_limit=0 --running_seconds_limit=5 --seconds_behind_master=9",
		"--conf=a.cnf --interactive=0 --master_state=dead --ignore_last_failover --dead_master_host=fd00::1 --ssh_reachable=1",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if _, err := (&Switch{Dead: "db1"}).Args(); err == nil {
		t.Error("a call without a configuration was made")
	}
}
