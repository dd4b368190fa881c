package checks

import (
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/replication"
)

func TestMembersOfAClusterAreJudged(t *testing.T) {
	galera := func(status, state string, ready bool) replication.Member {
		return replication.Member{Galera: true, Status: status, State: state, Ready: ready}
	}
	group := func(state string, size, unreachable int64) replication.Member {
		return replication.Member{State: state, Ready: true, Size: size, Unreachable: unreachable}
	}
	for _, c := range []struct {
		member  replication.Member
		status  mpp.Status
		message string
	}{
		{galera("Primary", "Synced", true), mpp.OK, ""},
		{galera("non-Primary", "Initialized", false), mpp.Fail, "no quorum: wsrep_cluster_status is non-Primary"},
		{galera("Disconnected", "", false), mpp.Fail, "no quorum"},
		{galera("", "", false), mpp.Fail, "wsrep_cluster_status is none"},
		{galera("Primary", "Joining", false), mpp.Fail, "wsrep_ready is OFF"},
		{galera("Primary", "Donor/Desynced", true), mpp.Warn, "not in step: wsrep_local_state_comment is Donor/Desynced"},
		{galera("Primary", "Joined", true), mpp.Warn, "Joined"},
		{group("ONLINE", 3, 0), mpp.OK, ""},
		{group("ONLINE", 3, 1), mpp.Warn, "1 of the 3 members are unreachable"},
		{group("ONLINE", 3, 2), mpp.Fail, "no quorum: 2 of the 3"},
		{group("ONLINE", 2, 1), mpp.Fail, "no quorum: 1 of the 2"},
		{group("RECOVERING", 3, 0), mpp.Warn, "RECOVERING"},
		{group("ERROR", 3, 0), mpp.Fail, "the member is ERROR"},
		{group("OFFLINE", 1, 0), mpp.Fail, "OFFLINE"},
		{group("UNREACHABLE", 3, 1), mpp.Fail, "UNREACHABLE"},
		{group("", 1, 0), mpp.Fail, "not a member"},
	} {
		f := judgeMember(c.member)
		if f.status != c.status || !strings.Contains(f.message, c.message) || (f.status == mpp.OK) != (f.kind == "") {
			t.Errorf("%+v is %s %q %q, want %s %q", c.member, f.status, f.kind, f.message, c.status, c.message)
		}
	}
}

func TestThreadsOfAChannelAreJudged(t *testing.T) {
	for _, c := range []struct {
		io, sql         string
		ioErrno, sqlErr uint32
		status          mpp.Status
		kind            mpp.Kind
	}{
		{"Yes", "Yes", 0, 0, mpp.OK, ""},
		{"Yes", "No", 0, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"Yes", "No", 0, 1062, mpp.Fail, mpp.KindReplicationStopped},
		{"No", "Yes", 0, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"No", "Yes", 13114, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"No", "Yes", 1236, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"No", "Yes", 2003, 0, mpp.Warn, mpp.KindSourceUnreachable}, // gave up after its tries
		{"Connecting", "No", 2003, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"Connecting", "Yes", 0, 0, mpp.Warn, mpp.KindSourceUnreachable},
		{"Preparing", "Yes", 0, 0, mpp.Warn, mpp.KindSourceUnreachable},
		{"Connecting", "Yes", 2003, 0, mpp.Warn, mpp.KindSourceUnreachable},
		{"Connecting", "Yes", 2013, 0, mpp.Warn, mpp.KindSourceUnreachable},
		{"Connecting", "Yes", 1040, 0, mpp.Warn, mpp.KindSourceUnreachable},
		{"Connecting", "Yes", 1129, 0, mpp.Warn, mpp.KindSourceUnreachable},
		{"Connecting", "Yes", 1045, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"Connecting", "Yes", 1044, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"Connecting", "Yes", 1130, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"Connecting", "Yes", 2026, 0, mpp.Fail, mpp.KindReplicationStopped},
		{"", "", 0, 0, mpp.Fail, mpp.KindReplicationStopped},
	} {
		f := judgeThreads(&mpp.Channel{Name: "c", SourceHost: "h", SourcePort: 1, IO: c.io, SQL: c.sql, IOErrno: c.ioErrno, SQLErrno: c.sqlErr})
		if f.status != c.status || f.kind != c.kind || (f.status != mpp.OK && !strings.HasPrefix(f.message, "channel c: ")) {
			t.Errorf("%+v is %s %q %q", c, f.status, f.kind, f.message)
		}
	}
}

func TestLagIsTheWorstThatIsKnown(t *testing.T) {
	const s = time.Second
	channel := func(io string, lag time.Duration, known bool, delay time.Duration) mpp.Channel {
		return mpp.Channel{IO: io, SQL: "Yes", Lag: lag, LagKnown: known, Delay: delay}
	}
	for _, c := range []struct {
		name     string
		channels []mpp.Channel
		ignore   bool
		age      time.Duration // negative: no heartbeat
		since    time.Duration
		lag      time.Duration
		known    bool
		doubtful bool
	}{
		{"in step", []mpp.Channel{channel("Yes", 0, true, 0)}, false, -1, -1, 0, true, false},
		{"behind", []mpp.Channel{channel("Yes", 7*s, true, 0)}, false, -1, -1, 7 * s, true, false},
		{"the worse channel", []mpp.Channel{channel("Yes", 7*s, true, 0), channel("Yes", 9*s, true, 0)}, false, -1, -1, 9 * s, true, false},
		{"one channel does not know", []mpp.Channel{channel("Yes", 0, true, 0), channel("Yes", 0, false, 0)}, false, -1, -1, 0, false, false},
		{"one is behind, one does not know", []mpp.Channel{channel("Yes", 7*s, true, 0), channel("Yes", 0, false, 0)}, false, -1, -1, 7 * s, true, false},
		{"0 without a connection is not knowing", []mpp.Channel{channel("Connecting", 0, true, 0)}, false, -1, -1, 0, false, false},
		{"still executing without a connection", []mpp.Channel{channel("Connecting", 5*s, true, 0)}, false, -1, -1, 5 * s, true, false},
		{"the delay counts", []mpp.Channel{channel("Yes", 60*s, true, 60*s)}, false, -1, -1, 60 * s, true, false},
		{"the delay is ignored", []mpp.Channel{channel("Yes", 61*s, true, 60*s)}, true, -1, -1, s, true, false},
		{"less than the delay", []mpp.Channel{channel("Yes", 50*s, true, 60*s)}, true, -1, -1, 0, true, false},
		{"an older heartbeat", []mpp.Channel{channel("Yes", 0, true, 0)}, false, 9 * s, 0, 9 * s, true, false},
		{"a heartbeat that nobody writes", []mpp.Channel{channel("Yes", 0, true, 0)}, false, 900 * s, 900 * s, 0, true, false},
		{"a heartbeat of who knows whom", []mpp.Channel{channel("Yes", 0, true, 0)}, false, 900 * s, -1, 900 * s, true, true},
		{"a heartbeat of a dead source", []mpp.Channel{channel("Connecting", 0, false, 0)}, false, 900 * s, -1, 0, false, false},
		{"a heartbeat where the server does not know", []mpp.Channel{channel("Yes", 0, false, 0)}, false, 2 * s, 0, 2 * s, true, false},
		{"a delayed heartbeat", []mpp.Channel{channel("Yes", 60*s, true, 60*s)}, true, 61 * s, 0, s, true, false},
	} {
		m := measure(c.channels, c.ignore)
		if c.age >= 0 {
			m.heartbeat(c.age, c.since)
		}
		if m.lag != c.lag || m.known != c.known || m.doubtful != c.doubtful || (!m.known && m.why == "") {
			t.Errorf("%s: %+v", c.name, m)
		}
	}
}

func TestThresholdsAreReachedInclusively(t *testing.T) {
	d := Default().LagThresholds
	for lag, want := range map[time.Duration]mpp.Status{
		0: mpp.OK, 4999 * time.Millisecond: mpp.OK, 5 * time.Second: mpp.Info, 7 * time.Second: mpp.Info,
		30 * time.Second: mpp.Warn, 340 * time.Second: mpp.Critical, 10 * time.Minute: mpp.Fail,
	} {
		if got := d.status(lag); got != want {
			t.Errorf("%s is %s, want %s", lag, got, want)
		}
	}
	if got := (Thresholds{}).status(time.Hour); got != mpp.OK {
		t.Errorf("without thresholds an hour is %s", got)
	}
}

func TestWaitOfAWriteIsJudgedByItsState(t *testing.T) {
	for _, c := range []struct {
		state  string
		full   bool
		status mpp.Status
		kind   mpp.Kind
	}{
		{"Waiting for someone to free space", false, mpp.Fail, mpp.KindDiskFull},
		{"waiting for handler commit", true, mpp.Fail, mpp.KindDiskFull},
		{"waiting for handler commit", false, mpp.Fail, mpp.KindStuckCommit},
		{"Commit", false, mpp.Fail, mpp.KindStuckCommit},
		{"Waiting for backup lock", false, mpp.Warn, mpp.KindReadLock},
		{"Waiting for global read lock", false, mpp.Warn, mpp.KindReadLock},
		{"Waiting for commit lock", false, mpp.Warn, mpp.KindReadLock},
		{"Waiting for table metadata lock", true, mpp.Warn, mpp.KindReadLock},
		{"Waiting for semi-sync ACK from slave", false, mpp.Fail, mpp.KindSemiSyncWait},
		{"Waiting for semi-sync ACK from replica", true, mpp.Fail, mpp.KindSemiSyncWait},
		{"", false, mpp.Fail, mpp.KindStuckCommit},
	} {
		f := judgeWait(replication.Session{Found: true, Command: "Query", State: c.state}, c.full)
		if f.status != c.status || f.kind != c.kind || f.message == "" {
			t.Errorf("%q is %+v", c.state, f)
		}
	}
}

func TestCustomChecksCompare(t *testing.T) {
	value := func(text string) customValue { return customValue{row: true, text: text} }
	for _, c := range []struct {
		compare Compare
		expect  string
		got     customValue
		ok      bool
	}{
		{"", "1", value("1"), true},
		{"", "1", value("1.0"), false},
		{CompareEqual, "NULL", value("NULL"), true},
		{CompareNotEqual, "1", value("2"), true},
		{CompareNotEqual, "1", value("1"), false},
		{CompareLess, "10", value("9"), true},
		{CompareLess, "10", value("10"), false},
		{CompareLessEqual, "10", value("10"), true},
		{CompareGreater, "10", value("9.5"), false},
		{CompareGreaterEqual, "10", value("1e2"), true},
		{CompareGreater, "10", value("many"), false},
		{CompareContains, "ell", value("hello"), true},
		{CompareContains, "elk", value("hello"), false},
		{CompareRow, "", value(""), true},
		{CompareRow, "", customValue{}, false},
		{CompareNoRow, "", customValue{}, true},
		{CompareNoRow, "", value("x"), false},
		{CompareEqual, "", customValue{}, false},
	} {
		check := Custom{Name: "c", SQL: "SELECT 1", Compare: c.compare, Expect: c.expect, Status: mpp.Warn, Limit: time.Second}
		if err := check.validate(); err != nil {
			t.Error(err)
		}
		f := check.judge(c.got, nil)
		if (f.status == mpp.OK) != c.ok || (f.status != mpp.OK && (f.status != mpp.Warn || f.kind != mpp.KindUnexpected)) {
			t.Errorf("%v %s %q is %+v", c.got, c.compare, c.expect, f)
		}
	}
}

func TestIdentityChangeIsSeen(t *testing.T) {
	a := mpp.Server{ID: 1, UUID: "u"}
	for _, c := range []struct {
		b    mpp.Server
		want string
	}{
		{mpp.Server{ID: 1, UUID: "u"}, ""},
		{mpp.Server{ID: 2, UUID: "u"}, "server_id 2, was 1"},
		{mpp.Server{ID: 1, UUID: "v"}, "server_uuid v, was u"},
		{mpp.Server{ID: 1}, "server_uuid none, was u"},
	} {
		if got := identityChange(&a, &c.b); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
}

func TestOnlyStatementsWithOneResultShareARoundTrip(t *testing.T) {
	for sql, want := range map[string]bool{
		"SELECT 1": true, " show status": true, "WITH a AS (SELECT 1) SELECT * FROM a": true,
		"SELECT 1; SELECT 2": false, "SELECT 1 INTO @a": false, "SET @a = 1": false, "CALL p()": false,
		"SELECT 1 /* and so on": false, "DO SLEEP(1)": false, "": false,
	} {
		if got := sharesRoundTrip(sql); got != want {
			t.Errorf("%q: %v, want %v", sql, got, want)
		}
	}
}

func TestOptionsSayEverythingThatIsWrong(t *testing.T) {
	o := Default()
	o.Address, o.User = "10.0.0.1:3306", "mpp"
	if err := o.Validate(); err != nil {
		t.Errorf("the defaults: %v", err)
	}
	o = Options{
		Address: "10.0.0.1", Query: true, Write: true, HeartbeatTable: "", LoginInterval: -1,
		Custom: []Custom{{Name: "a"}, {Name: "a", SQL: "SELECT 1", Limit: 1, Compare: "~"}, {SQL: "SELECT 1"}},
	}
	err := o.Validate()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, part := range []string{
		"host:port", "user: empty", "must not be negative", "connect limit", "query limit", "write limit", "query: no SQL",
		"needs a heartbeat table", `custom check "a": no SQL`, `compare "~"`, "used twice", `custom check "": no name`,
	} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("no %q in\n%v", part, err)
		}
	}
	if _, err := New(o); err == nil {
		t.Error("New took it all the same")
	}
}
