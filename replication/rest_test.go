package replication_test

import (
	"database/sql/driver"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp/replication"
)

func TestHeartbeatAgeIsKnownOrNot(t *testing.T) {
	for _, c := range []struct {
		value driver.Value
		age   time.Duration
		known bool
	}{
		{int64(7_250_000), 7250 * time.Millisecond, true},
		{int64(-5), 0, true},
		{int64(1<<63 - 1), time.Duration(9223372036) * time.Second, true},
		{nil, 0, false},
	} {
		age, known, err := replication.ReadAge(&rows{data: [][]driver.Value{{c.value}}})
		if err != nil || known != c.known || age.Truncate(time.Microsecond) != c.age {
			t.Errorf("%v became %s %v (%v)", c.value, age, known, err)
		}
	}
}

func TestSessionThatIsGoneIsNotFound(t *testing.T) {
	s, err := replication.ReadSession(&rows{columns: make([]string, 3)})
	if err != nil || s.Found {
		t.Errorf("%+v %v", s, err)
	}
	s, err = replication.ReadSession(&rows{columns: make([]string, 3), data: [][]driver.Value{{[]byte("Query"), []byte("Commit"), int64(2)}}})
	if diff := cmp.Diff(replication.Session{Found: true, Command: "Query", State: "Commit", Waiting: 2}, s); diff != "" || err != nil {
		t.Error(diff, err)
	}
}

func TestMembersAreRead(t *testing.T) {
	galera, group := probe(t, mariadb12()), probe(t, mysql80())
	got, err := galera.ReadMember(variables("wsrep_cluster_status", "Primary", "wsrep_ready", "ON",
		"wsrep_local_state_comment", "Donor/Desynced", "wsrep_cluster_size", "3"))
	want := replication.Member{Galera: true, State: "Donor/Desynced", Status: "Primary", Ready: true, Size: 3}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	got, err = group.ReadMember(&rows{columns: make([]string, 3), data: [][]driver.Value{{[]byte("ONLINE"), int64(3), []byte("1")}}})
	if diff := cmp.Diff(replication.Member{State: "ONLINE", Ready: true, Size: 3, Unreachable: 1}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	got, err = group.ReadMember(&rows{columns: make([]string, 3), data: [][]driver.Value{{nil, int64(1), int64(0)}}})
	if diff := cmp.Diff(replication.Member{Ready: true, Size: 1}, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
}
