package checks_test

import (
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/checks"
	"mpp/replication"
)

func TestWhatAnswersInsteadOfALoginIsToldApart(t *testing.T) {
	early := func(number uint16, message string) []byte { // without an SQLSTATE, as before a login
		p := errorPacket(number, message)
		return framed(append(p[:3], p[9:]...))
	}
	for _, c := range []struct {
		name     string
		greet    []byte
		hold     bool
		answered bool
		want     want
	}{
		{"nothing", []byte{}, true, false, want{"connect", mpp.Fail, mpp.KindNoHandshake, "no handshake came within"}},
		{"closed", []byte{}, false, false, want{"connect", mpp.Fail, mpp.KindRefused, "closed before the handshake"}},
		{"half a greeting", framed(greeting("5.7"))[:20], true, true, want{"connect", mpp.Fail, mpp.KindHung, "the handshake came, but the login got no answer"}},
		{"a greeting and silence", framed(greeting("5.7")), true, true, want{"connect", mpp.Fail, mpp.KindHung, "the login got no answer within"}},
		{"a greeting and the end", framed(greeting("5.7")), false, true, want{"connect", mpp.Fail, mpp.KindLost, "the connection broke during the login"}},
		{"another protocol", []byte("SSH-2.0-OpenSSH_9.2p1 Debian-2+deb12u3\r\n"), true, false, want{"connect", mpp.Fail, mpp.KindUnexpected, "does not speak the MySQL protocol"}},
		{"a short greeting", framed([]byte{10, '5', 0}), true, true, want{"connect", mpp.Fail, mpp.KindLost, "broke during the login"}},
		{"1129", early(1129, "Host '10.0.0.9' is blocked"), false, true, want{"connect", mpp.Critical, mpp.KindHostBlocked, "error 1129: Host '10.0.0.9' is blocked"}},
		{"1130", early(1130, "Host '10.0.0.9' is not allowed"), false, true, want{"connect", mpp.Critical, mpp.KindHostBlocked, "error 1130"}},
		{"1040 at once", early(1040, "Too many connections"), false, true, want{"connect", mpp.Critical, mpp.KindTooManyConnections, "error 1040"}},
		{"1053", early(1053, "Server shutdown in progress"), false, true, want{"connect", mpp.Fail, mpp.KindShuttingDown, "error 1053"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := (&fake{greet: c.greet, hold: c.hold}).start(t)
			o := pollWithin(t, prober(t, f.options()), mpp.Ask{}, short)
			expect(t, o, c.want)
			if o.Answered != c.answered || len(o.Checks) != 1 {
				t.Errorf("answered %v: %s", c.answered, show(o))
			}
		})
	}
}

func TestUnknownHostAndSilentHostAreNotTheNodesAnswer(t *testing.T) {
	opt := checks.Default()
	opt.User, opt.Address = "mpp", "no-such-host.invalid:3306"
	o := poll(t, prober(t, opt), mpp.Ask{})
	c, _ := find(o, "connect")
	if c.Status != mpp.Fail || !c.Kind.Unreachable() || o.Answered {
		t.Error(show(o))
	}
}

func TestMySQL57IsAskedInItsOwnWords(t *testing.T) {
	f := (&fake{answer: mysql57(nil)}).start(t)
	p := prober(t, f.options())
	o := poll(t, p, mpp.Ask{})
	healthy(t, o)
	want := []mpp.Channel{{SourceHost: "10.0.0.1", SourcePort: 3306, SourceID: 1, SourceUUID: "u-0", IO: "Yes", SQL: "Yes", LagKnown: true}}
	if diff := cmp.Diff(want, o.Channels); diff != "" {
		t.Error(diff)
	}
	if !o.Server.ReadOnly || !o.Server.SuperReadOnly || o.Server.UUID != "u-1" || o.Server.GTID != "u-1:1-5" {
		t.Error(show(o))
	}
	f.statements()
	healthy(t, poll(t, p, mpp.Ask{}))
	if diff := cmp.Diff([]string{"SELECT 1", "SELECT @@global.server_id, @@global.read_only, @@global.super_read_only," +
		" @@global.offline_mode, @@global.innodb_read_only, @@global.gtid_executed", "SHOW SLAVE STATUS"}, f.statements()); diff != "" {
		t.Errorf("the second poll asks only what it must: %s", diff)
	}
}

func TestStatementThatFailsDoesNotHideTheOthers(t *testing.T) {
	f := (&fake{answer: mysql57(map[string]*answer{
		"SHOW SLAVE STATUS": {errno: 1227, message: "Access denied; you need SUPER"},
		"SELECT a":          {errno: 1146, message: "Table 'x.y' doesn't exist"},
	})}).start(t)
	opt := f.options()
	for i, sql := range []string{"SELECT a", "SELECT b -- no end", "SELECT c; SELECT d", "SELECT e INTO @e"} {
		opt.Custom = append(opt.Custom, checks.Custom{Name: string(rune('a' + i)), SQL: sql, Expect: "1", Limit: short})
	}
	p := prober(t, opt)
	for range 2 {
		o := poll(t, p, mpp.Ask{})
		expect(t, o, want{check: "query"})
		expect(t, o, want{"replication", mpp.Critical, mpp.KindPrivilege, "cannot read the replica's state: error 1227"})
		expect(t, o, want{"custom:a", mpp.Fail, mpp.KindSQL, "error 1146"})
		expect(t, o, want{check: "custom:b"})
		expect(t, o, want{check: "custom:c"})
		if o.Server.ID != 2 || !o.Answered {
			t.Error(show(o))
		}
	}
}

func TestHungStatementIsNamedAndTheRestIsAskedOverANewConnection(t *testing.T) {
	f := (&fake{answer: mysql57(map[string]*answer{"SHOW SLAVE STATUS": nil})}).start(t)
	opt := f.options()
	opt.ReplicationLimit = short / 3
	opt.Custom = []checks.Custom{{Name: "after", SQL: "SELECT z", Expect: "1", Limit: short}}
	o := poll(t, prober(t, opt), mpp.Ask{})
	expect(t, o, want{check: "query"})
	expect(t, o, want{"replication", mpp.Fail, mpp.KindHung, "cannot read the replica's state: no answer within 1"})
	if o.Verdict().Failed != mpp.Replica {
		t.Errorf("a replica's state that cannot be read is no word about serving: %s", show(o))
	}
}

func TestHungQueryIsAReachFailure(t *testing.T) {
	f := (&fake{answer: mysql57(map[string]*answer{"SELECT 1": nil})}).start(t)
	opt := f.options()
	opt.QueryLimit = short / 3
	p := prober(t, opt)
	for range 5 {
		o := poll(t, p, mpp.Ask{})
		if c, _ := find(o, "query"); c.Status != mpp.Fail || c.Kind != mpp.KindHung ||
			(!strings.Contains(c.Message, "no answer within 1") && !strings.Contains(c.Message, "still hang on the server")) {
			t.Error(show(o))
		}
		if o.Verdict().Failed != mpp.Reach || !o.Answered {
			t.Error(show(o))
		}
	}
}

func TestQueryErrorIsAReachFailure(t *testing.T) {
	f := (&fake{answer: mysql57(map[string]*answer{"SELECT 1": {errno: 1146, message: "Table 'a.b' doesn't exist"}})}).start(t)
	o := poll(t, prober(t, f.options()), mpp.Ask{})
	expect(t, o, want{"query", mpp.Fail, mpp.KindSQL, "error 1146: Table 'a.b' doesn't exist"})
	expect(t, o, want{check: "replication"})
}

func TestServerThatLosesEverySessionIsAFailure(t *testing.T) {
	f := (&fake{drop: "SELECT @@global.server_id", answer: mysql57(nil)}).start(t)
	p := prober(t, f.options())
	for range 2 {
		o := poll(t, p, mpp.Ask{})
		expect(t, o, want{"connect", mpp.Fail, mpp.KindLost, "logged in, then: the open connection was lost: closed by the server"})
		if o.Verdict().Failed != mpp.Reach || !o.Answered {
			t.Errorf("a poll that learnt nothing is no good one: %s", show(o))
		}
	}
}

func TestLoginThatHangsBesideAWorkingConnectionFailsAtTheThirdTime(t *testing.T) {
	f := (&fake{answer: mysql57(nil)}).start(t)
	opt := f.options()
	opt.ConnectLimit = short / 3
	p := prober(t, opt)
	healthy(t, poll(t, p, mpp.Ask{FreshLogin: true}))
	f.silence(true)
	for i, status := range []mpp.Status{mpp.Critical, mpp.Critical, mpp.Fail, mpp.Fail} {
		o := poll(t, p, mpp.Ask{FreshLogin: i == 0}) // after the first it is tried every time
		expect(t, o, want{"connect", status, mpp.KindNoHandshake, "TCP connects, but no handshake came within"})
		expect(t, o, want{check: "query"})
	}
	f.silence(false)
	healthy(t, poll(t, p, mpp.Ask{}))
}

func TestGarbageInAnAnswerIsCaught(t *testing.T) {
	for name, raw := range map[string][]byte{
		"short error": {0xff}, "short OK": {0}, "columns without end": {250}, "a file": append([]byte{0xfb}, "/etc/passwd"...), "EOF": {0xfe},
	} {
		t.Run(name, func(t *testing.T) {
			garbage := &answer{raw: raw}
			for _, sql := range []string{"SELECT 1", "SHOW GLOBAL VARIABLES", "SHOW SLAVE STATUS", "SHOW GRANTS", "INSERT"} {
				f := (&fake{answer: mysql57(map[string]*answer{
					sql: garbage, "SELECT @@global.server_id": {columns: []string{"a", "b", "c", "d", "e", "f"}, rows: [][]string{{"2", "0", "0", "0", "0", ""}}},
				})}).start(t)
				opt := f.options()
				opt.QueryLimit, opt.ReplicationLimit, opt.WriteLimit = short/3, short/3, short/3
				opt.HeartbeatTable, opt.Write = "mpp.heartbeat", true
				p := prober(t, opt)
				for range 2 {
					if o := pollWithin(t, p, mpp.Ask{Active: true}, 2*short); o.Verdict().Status == mpp.OK && o.Verdict().Failed == "" {
						t.Errorf("%s: nothing was noticed: %s", sql, show(o))
					}
				}
			}
		})
	}
}

func TestExpiredPasswordIsAliveAndCritical(t *testing.T) {
	f := (&fake{answer: func(string) *answer {
		return &answer{errno: 1820, message: "You must SET PASSWORD before executing this statement"}
	}}).start(t)
	o := poll(t, prober(t, f.options()), mpp.Ask{})
	expect(t, o, want{"connect", mpp.Critical, mpp.KindAccessDenied, "logged in, then: error 1820"})
	if o.Verdict().Failed != "" || !o.Answered {
		t.Error(show(o))
	}
}

func TestServerThatShutsDownSaysSo(t *testing.T) {
	f := (&fake{answer: mysql57(nil)}).start(t)
	p := prober(t, f.options())
	healthy(t, poll(t, p, mpp.Ask{}))
	f.stop()
	expect(t, poll(t, p, mpp.Ask{}), want{"connect", mpp.Fail, mpp.KindRefused, "connection refused: nothing listens there, the host is alive; before that: the open connection was lost"})
}

func TestNoPollAsksWhatHangsOnAFullDisk(t *testing.T) {
	f := (&fake{answer: mysql57(nil)}).start(t)
	opt := f.options()
	opt.HeartbeatTable, opt.Write = "mpp.heartbeat", true
	p := prober(t, opt)
	poll(t, p, mpp.Ask{Active: true})
	poll(t, p, mpp.Ask{Active: true})
	asked := f.statements()
	for _, sql := range asked {
		if strings.Contains(sql, "BINARY LOG") || strings.Contains(sql, "MASTER STATUS") || strings.Contains(sql, "MASTER LOGS") {
			t.Errorf("asked %s", sql)
		}
	}
	if !slices.Contains(asked, "SHOW SLAVE STATUS") {
		t.Errorf("the poll asked nothing: %q", asked)
	}
}

func TestSemiSyncStatusThatHangsIsLeftAlone(t *testing.T) {
	var hangs atomic.Bool
	f := new(fake)
	plain := mysql57(nil)
	f.answer = func(sql string) *answer {
		if sql == replication.SemiSyncSQL {
			if hangs.Load() {
				return nil
			}
			return &answer{columns: []string{"Variable_name", "Value"}, rows: [][]string{{"Rpl_semi_sync_master_status", "OFF"}}}
		}
		if sql == replication.SettingsSQL {
			return &answer{columns: []string{"Variable_name", "Value"}, rows: [][]string{{"log_bin", "ON"}}}
		}
		return plain(sql)
	}
	f.start(t)
	opt := f.options()
	opt.Engine, opt.QueryLimit, opt.PrivilegeInterval = true, 100*time.Millisecond, time.Hour
	p := prober(t, opt)
	o := poll(t, p, mpp.Ask{})
	if o.Server.SemiSync == nil || o.Server.Settings == nil || !o.Server.Settings.LogBin {
		t.Fatalf("not asked: %s", show(o))
	}
	hangs.Store(true)
	f.statements()
	for range 5 {
		o = poll(t, p, mpp.Ask{})
		expect(t, o, want{"commit", mpp.Warn, mpp.KindHung, "the question for the semi-sync status got no answer"})
		expect(t, o, want{check: "query"})
		expect(t, o, want{check: "replication"})
		if o.Verdict().Failed != "" || o.Server.SemiSync != nil || o.Server.Settings == nil {
			t.Errorf("a question that hangs: %s", show(o))
		}
	}
	asked := 0
	for _, sql := range f.statements() {
		if sql == replication.SemiSyncSQL {
			asked++
		}
	}
	if asked != 1 {
		t.Errorf("what hangs was asked %d times", asked)
	}
}
