package plan

import (
	"strings"
	"testing"
	"time"

	"mpp"
)

// back is a pool whose role b has, and a has come back as it was.
func back() *Facts {
	f := threeNodes()
	f.Active = "b:1"
	f.Nodes[0].State, f.Nodes[0].Barred = mpp.Failed, "it is FAIL (OFFLINE), not STANDBY"
	f.Nodes[1].State, f.Nodes[1].Barred = mpp.Active, "it is the ACTIVE node"
	f.Nodes[1].Observation.Channels = nil
	f.Nodes[1].Observation.Server.GTID = upTo(100) + "," + uuidB + ":1-50"
	return f
}

func repair(t *testing.T, f *Facts, op mpp.Operation, change ...func(*stage)) *stage {
	t.Helper()
	op.ID = 7
	return newStage(t, f).play(op, change...)
}

func rejoin(options mpp.OperationOptions) mpp.Operation {
	return mpp.Operation{Kind: mpp.OpRejoin, Old: "a:1", New: "b:1", Options: options}
}

func TestANodeThatComesBackIsFencedComparedAndRepointed(t *testing.T) {
	f := back()
	f.Policy.Events, f.Policy.ManageSemiSync = true, true
	f.Policy.Hooks = map[string]time.Duration{mpp.HookBeforeRejoin: time.Second, mpp.HookAfterRejoin: time.Second}
	repair(t, f, rejoin(mpp.OperationOptions{})).want("", `
		fence: remove-address a
		fence: read-only a
		fence: end-sessions a
		fence: events-off a
		before: hook before-rejoin
		compare: position a
		against: position b
		repoint: repoint a <- b
		ready: semi-sync a replica
		after: hook after-rejoin
	`).ends(mpp.Completed, "a:1 is a replica of b:1")
}

func TestANodeWithExtraTransactionsIsKeptOutAndTheyAreSaved(t *testing.T) {
	g := repair(t, back(), rejoin(mpp.OperationOptions{}), position("a:1", mpp.Position{Executed: upTo(103)})).want("compare", `
		compare: position a
		against: position b
		save: save-extra a
	`).ends(mpp.Stopped, "a:1 is kept out: it has transactions that b:1 does not have: "+uuidA+":101-103").noted("mpp rejoin a:1 --clone")
	if g.op.Lost != uuidA+":101-103" {
		t.Errorf("listed: %q", g.op.Lost)
	}
	repair(t, back(), rejoin(mpp.OperationOptions{}), position("a:1", mpp.Position{Executed: upTo(103)}), failing("save-extra")).hasNot("repoint").
		ends(mpp.Stopped, "a:1 is kept out").noted("they could not be saved: error 1205")
}

func TestACloneReplacesTheDataOnceTheExtraTransactionsAreSaved(t *testing.T) {
	extra := position("a:1", mpp.Position{Executed: upTo(103)})
	repair(t, back(), rejoin(mpp.OperationOptions{Clone: true}), extra).want("save", `
		save: save-extra a
		clone: clone a <- b
		repoint: repoint a <- b
	`).ends(mpp.Completed, "a:1 is a replica of b:1").noted("done")
	repair(t, back(), rejoin(mpp.OperationOptions{Clone: true}), extra, failing("save-extra")).hasNot("clone:").
		ends(mpp.Stopped, "could not be saved, so its data is not replaced")
	repair(t, back(), rejoin(mpp.OperationOptions{Clone: true})).hasNot("save-extra").has("clone: clone a <- b").ends(mpp.Completed, "")
	repair(t, back(), rejoin(mpp.OperationOptions{Clone: true}), failing("clone:")).hasNot("repoint").ends(mpp.Stopped, "clone on a:1 failed")
}

func TestARejoinStopsAtTheFirstStepThatFails(t *testing.T) {
	f := func() *Facts {
		f := back()
		f.Policy.Hooks = map[string]time.Duration{mpp.HookBeforeRejoin: time.Second}
		return f
	}
	for _, step := range []string{"remove-address a", "read-only a", "hook before-rejoin", "position a", "position b", "repoint a"} {
		g := repair(t, f(), rejoin(mpp.OperationOptions{}), failing(step)).ends(mpp.Stopped, "error 1205")
		if !strings.HasSuffix(g.lines[len(g.lines)-1], step) && !strings.Contains(step, "position") && !strings.Contains(g.lines[len(g.lines)-1], "fence:") &&
			!strings.Contains(g.lines[len(g.lines)-1], step) {
			t.Errorf("%s failed, and it went on:\n%s", step, g.script())
		}
	}
	repair(t, f(), rejoin(mpp.OperationOptions{}), failing("end-sessions")).ends(mpp.Completed, "")
}

func TestMariaDBsExtraTransactionsAreThoseThatItsBinlogStateHas(t *testing.T) {
	f := mariadbFacts(back())
	repair(t, f, rejoin(mpp.OperationOptions{}), position("a:1", mpp.Position{Executed: "0-1-100", BinlogState: "0-1-100"}),
		position("b:1", mpp.Position{Executed: "0-2-150", BinlogState: "0-1-100,0-2-150"})).ends(mpp.Completed, "a:1 is a replica of b:1")
	// b has a higher number, and a has three transactions that it does not have.
	repair(t, f, rejoin(mpp.OperationOptions{}), position("a:1", mpp.Position{Executed: "0-1-103", BinlogState: "0-1-103"}),
		position("b:1", mpp.Position{Executed: "0-2-150", BinlogState: "0-1-100,0-2-150"})).ends(mpp.Stopped, "b:1 does not have: 0-1-101..103")
	repair(t, f, rejoin(mpp.OperationOptions{}), position("a:1", mpp.Position{BinlogState: "not a state"})).ends(mpp.Stopped, "cannot be compared")
}

// mariadbFacts is f on MariaDB, all at 0-1-100.
func mariadbFacts(f *Facts) *Facts {
	for i := range f.Nodes {
		s := &f.Nodes[i].Observation.Server
		s.Flavour, s.Version, s.UUID, s.GTID, s.BinlogState = mariadb, "10.11.19-MariaDB-log", "", "0-1-100", "0-1-100"
		for j := range f.Nodes[i].Observation.Channels {
			c := &f.Nodes[i].Observation.Channels[j]
			c.SourceUUID, c.SourceID, c.Received = "", 1, "0-1-100"
		}
	}
	return f
}

func TestFencingANodeTakesItsAddressAndItsWriters(t *testing.T) {
	f := back()
	f.Policy.Events = true
	fence := mpp.Operation{Kind: mpp.OpFence, Old: "a:1"}
	repair(t, f, fence).want("", `
		fence: remove-address a
		fence: read-only a
		fence: end-sessions a
		fence: events-off a
	`).ends(mpp.Completed, "a:1 is read-only and does not hold the address")
	repair(t, f, fence, failing("read-only a")).ends(mpp.Stopped, "a:1 is not fenced: read-only on a:1 failed: error 1205")
	f.Nodes[0].Reachable = false
	repair(t, f, fence).want("", "fence: remove-address a").ends(mpp.Completed, "")
	repair(t, f, fence, failing("remove-address")).ends(mpp.Stopped, "is not fenced")
	f.Nodes[0].Host, f.Nodes[0].Reachable = false, true
	repair(t, f, fence, failing("remove-address")).ends(mpp.Completed, "")
}

func TestReopeningGivesTheActiveNodeWhatBelongsToIt(t *testing.T) {
	f := threeNodes()
	f.Policy.Events, f.Policy.ManageSemiSync = true, true
	repair(t, f, mpp.Operation{Kind: mpp.OpReopen, New: "a:1"}).want("", `
		open: writable a
		address: add-address a
		address: semi-sync a source
		address: events-on a
	`).ends(mpp.Completed, "a:1 has what belongs to the ACTIVE node")
	repair(t, f, mpp.Operation{Kind: mpp.OpReopen, New: "a:1"}, failing("writable")).want("", "open: writable a").ends(mpp.Stopped, "writable on a:1 failed")
	repair(t, f, mpp.Operation{Kind: mpp.OpReopen, New: "a:1"}, failing("add-address")).ends(mpp.Stopped, "add-address on a:1 failed")
	repair(t, f, mpp.Operation{Kind: mpp.OpReopen, New: "a:1", Wanted: "address"}).hasNot("writable").has("add-address a").ends(mpp.Completed, "")
}

func TestLinksAreTestedAtTheNodesThatShould(t *testing.T) {
	f := dead()
	test := mpp.Operation{Kind: mpp.OpTestLinks, Old: "a:1"}
	if g := repair(t, f, test).ends(mpp.Completed, "0 of 0"); len(g.lines) > 0 {
		t.Errorf("nobody should, and there is %s", g.script())
	}
	f.Nodes[1].TestLink, f.Nodes[2].TestLink = true, true
	repair(t, f, test, failing("test-link b", mpp.StepResult{Done: true, Alive: true})).want("", `
		test: test-link b <- a
		test: test-link c <- a
	`).ends(mpp.Completed, "1 of 2 replicas can connect to a:1")
}

func TestErrantTransactionsAreThoseThatNobodyButTheReplicaWrote(t *testing.T) {
	f := threeNodes()
	replica, source := &f.Nodes[1], &f.Nodes[0]
	for _, each := range []struct{ replica, source, want string }{
		{upTo(100), upTo(100), ""},
		{upTo(101), upTo(100), ""}, // the source's own, not committed there yet
		{upTo(100) + "," + uuidB + ":1", upTo(100), uuidB + ":1"},
		{"nonsense", upTo(100), "(unknown"},
		{upTo(100), "nonsense", ""},
	} {
		replica.Observation.Server.GTID, source.Observation.Server.GTID = each.replica, each.source
		if got := Errant(replica, source, ""); !strings.HasPrefix(got, each.want) || (each.want == "" && got != "") {
			t.Errorf("%s against %s: %q, want %q", each.replica, each.source, got, each.want)
		}
	}
	mariadbFacts(f)
	for _, each := range []struct{ replica, source, want string }{
		{"0-1-100", "0-1-100", ""},
		{"0-1-101", "0-1-100", ""},
		{"0-1-100,0-2-101", "0-1-105", "0-2-101"},
		{"nonsense", "0-1-100", "(unknown"},
	} {
		replica.Observation.Server.BinlogState, source.Observation.Server.BinlogState = each.replica, each.source
		if got := Errant(replica, source, ""); !strings.HasPrefix(got, each.want) || (each.want == "" && got != "") {
			t.Errorf("%s against %s: %q, want %q", each.replica, each.source, got, each.want)
		}
	}
	replica.Observation.Server.Flavour = "mysql"
	if got := Errant(replica, source, ""); got != "" || Errant(nil, source, "") != "" {
		t.Errorf("different products: %q", got)
	}
}

func TestAPhaseOfAnotherVersionStopsTheOperation(t *testing.T) {
	f := threeNodes()
	op := Begin(morning(), f, mpp.Operation{ID: 7, Kind: mpp.OpSwitchover, Old: "a:1", New: "b:1"})
	op.Phase = "telepathy"
	if tasks := Advance(morning(), op, f); len(tasks) > 0 || op.Outcome != mpp.Stopped || !strings.Contains(op.Why, "telepathy") {
		t.Errorf("%d tasks, %s: %s", len(tasks), op.Outcome, op.Why)
	}
}

func TestAReplicaOfAnAddressOfIPv6IsKnownByIt(t *testing.T) {
	f := threeNodes()
	source := &Node{Address: "[fd00::1]:3306"}
	f.Nodes[1].Observation.Channels[0].SourceHost, f.Nodes[1].Observation.Channels[0].SourcePort = "fd00::1", 3306
	if !Follows(&f.Nodes[1], source) {
		t.Error("it does not")
	}
}

func TestErrantTransactionsThatOthersHaveFollowedAreNotForgotten(t *testing.T) {
	f := mariadbFacts(threeNodes())
	replica, source := &f.Nodes[1], &f.Nodes[0]
	replica.Observation.Server.BinlogState, source.Observation.Server.BinlogState = "0-1-100,0-2-101", "0-1-100"
	found := Errant(replica, source, "")
	replica.Observation.Server.BinlogState, source.Observation.Server.BinlogState = "0-2-101,0-1-150", "0-1-150"
	source.Observation.Server.GTID = "0-1-150"
	if got := Errant(replica, source, found); found != "0-2-101" || got != found {
		t.Errorf("first %q, then %q", found, got)
	}
	if got := Errant(replica, source, ""); got != "" {
		t.Errorf("%q, which may as well be an old writer's", got)
	}
}
