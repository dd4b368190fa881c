package plan

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

// deadMariaDB is dead on MariaDB.
func deadMariaDB() *Facts {
	f := mariadbFacts(threeNodes())
	f.Nodes[0].Reachable, f.Nodes[0].LostAt = false, morning()
	return f
}

func at(gtid, received string) mpp.Position {
	return mpp.Position{Executed: gtid, Received: received, BinlogState: gtid}
}

func TestAFailoverOnMariaDBCompletesAndCountsByNumbers(t *testing.T) {
	f := deadMariaDB()
	f.Nodes[2].Barred = "it is marked no_promote"
	g := failover(t, f, deadA, position("b:1", at("0-1-90", "0-1-95")), position("c:1", at("0-1-105", "0-1-105"))).
		has("complete: copy-from b <- c").ends(mpp.Completed, "b:1")
	if st := (&scene{op: g.op}).last(mpp.StepCopyFrom, "b:1"); st.GTID != "0-1-105" {
		t.Errorf("it is completed to %s", st.GTID)
	}
	f.Nodes[0].Observation.Server.GTID, f.Nodes[0].Observation.Server.BinlogState = "0-1-108", "0-1-108"
	failover(t, f, deadA, position("b:1", at("0-1-100", "0-1-100")), position("c:1", at("0-1-105", "0-1-105"))).hasNot("promote").
		ends(mpp.Stopped, "3 transactions would be lost (0-1-106..108)")
}

func TestWhatMariaDBsCurrentPositionLeavesOutIsInItsBinlogState(t *testing.T) {
	// The server wrote 101 to 105 under another server id than it has now.
	set, err := executed(mariadb, mpp.Position{Executed: "0-1-100", BinlogState: "0-1-100,0-9-105"})
	if err != nil || set.String() != "0-9-105" {
		t.Errorf("%s, %v", set, err)
	}
	if _, err := executed(mariadb, mpp.Position{Executed: "0-1-100", BinlogState: "nonsense"}); err == nil {
		t.Error("a state that cannot be read is taken")
	}
	f := mariadbFacts(threeNodes())
	g := switchover(t, f, position("a:1", mpp.Position{Executed: "0-1-100", BinlogState: "0-1-100,0-9-105"}))
	if st := (&scene{op: g.op}).last(mpp.StepAwaitSet, "b:1"); st.GTID != "0-9-105" {
		t.Errorf("the new node is let up to %s", st.GTID)
	}
}

func TestCopiesThatHaveDivergedOnMariaDBCountAsLossOfWhatIsLeftBehind(t *testing.T) {
	f := deadMariaDB()
	// No replica of the one finds its place in the other's log.
	g := failover(t, f, deadA, failing("copy-from"), position("b:1", at("0-1-101", "")), position("c:1", at("0-3-101", "")))
	g.hasNot("promote").ends(mpp.Stopped, "1 transactions would be lost")
}

func TestAReplicaIsCaughtUpWhenItHasExecutedWhatItReceived(t *testing.T) {
	o := mariadbFacts(threeNodes()).Nodes[1].Observation
	if !CaughtUp(o) {
		t.Error("it has executed all")
	}
	o.Channels[0].Received = "0-1-101"
	if CaughtUp(o) {
		t.Error("it has received more")
	}
	o.Channels[0].Received, o.Channels[0].SQL = "0-1-100", "No"
	if CaughtUp(o) || CaughtUp(&mpp.Observation{}) {
		t.Error("nothing is applied there")
	}
}

func TestWhoIsAheadOfANode(t *testing.T) {
	f := threeNodes()
	if AnyoneAhead(f, "a:1") || AnyoneAhead(f, "b:1") {
		t.Error("all are equal")
	}
	f.Nodes[2].Observation.Channels[0].Received = upTo(101)
	if !AnyoneAhead(f, "a:1") || AnyoneAhead(f, "c:1") {
		t.Error("c has received more")
	}
	f.Nodes[2].Errant = uuidC + ":1"
	if AnyoneAhead(f, "a:1") {
		t.Error("what an errant node has does not count")
	}
}

func TestWhatOnlyAnErrantNodeHasReceivedIsWithheld(t *testing.T) {
	f := dead()
	f.Nodes[2].Errant = uuidC + ":1"
	f.Nodes[2].Observation.Server.GTID = upTo(101) + "," + uuidC + ":1"
	set, who := Withheld(f, "a:1")
	if set.String() != uuidA+":101" || len(who) != 1 || who[0] != "c:1" {
		t.Errorf("%s at %v", set, who)
	}
}

func TestAPromotedNodeHasAnAcknowledgerWhereAnotherNodeGivesOne(t *testing.T) {
	f := semiSync(dead())
	if !Acknowledged(f, "b:1") {
		t.Error("c acknowledges")
	}
	f.Nodes[2].Reachable = false
	if Acknowledged(f, "b:1") {
		t.Error("c is away, and a acknowledges nothing")
	}
	f.Nodes[0].Observation.Server.Settings.SemiSyncReplica = true
	if !Acknowledged(f, "b:1") {
		t.Error("a, which has the role until now, would")
	}
	if diff := cmp.Diff([]string{"b:1", "c:1"}, Acknowledgers(semiSync(threeNodes()), "a:1")); diff != "" {
		t.Error(diff)
	}
}

func TestTheReceiversThatAFailoverLeavesStoppedAreKnown(t *testing.T) {
	f := dead()
	f.Nodes[2].Observation.Channels[0].IO = "No" // by hand
	g := failover(t, f, deadA, failing("drain"), failing("start-replica b"))
	if diff := cmp.Diff([]string{"b:1"}, Halted(g.op)); diff != "" {
		t.Error(diff)
	}
	g = failover(t, dead(), deadA, failing("drain"))
	if list := Halted(g.op); len(list) > 0 {
		t.Errorf("all were started again, and %v are told", list)
	}
	g = failover(t, dead(), deadA)
	if list := Halted(g.op); len(list) > 0 {
		t.Errorf("all follow the new node, and %v are told", list)
	}
}

func TestAnOperationThatIsCutShortClaimsNothingUnlessItHasOpenedItsNode(t *testing.T) {
	for _, promoted := range []bool{false, true} {
		f := dead()
		f.Policy.AnyLoss = true
		f.Nodes[0].Observation.Server.GTID = upTo(104)
		op := Begin(morning(), f, mpp.Operation{ID: 7, Kind: mpp.OpFailover, Old: "a:1"})
		g := newStage(t, f)
		for tasks := Advance(g.now, op, f); len(tasks) > 0 && (promoted || op.Phase != phasePromote) && op.Phase != phaseRepoint; tasks = Advance(g.now, op, f) {
			for i := range tasks {
				r := g.done(&tasks[i].Step)
				r.Operation, r.Step = 7, tasks[i].Step.N
				Take(op, &r)
			}
		}
		if op.LostCount != 4 || Promoting(op) == false {
			t.Fatalf("phase %s, lost %d", op.Phase, op.LostCount)
		}
		Stop(g.now.Add(time.Second), op, "the pool has no engine any more")
		if op.Outcome != mpp.Stopped || (op.LostCount == 4) != promoted {
			t.Errorf("promoted %t: %s, lost %d", promoted, op.Outcome, op.LostCount)
		}
	}
}

func TestANodeThatIsForbiddenBeforeItsPromotionIsPassedOver(t *testing.T) {
	forbid := func(g *stage) {
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain || st.Phase == phaseFinal {
				g.f.Nodes[1].Forbidden, g.f.Nodes[1].Barred = "it is marked no_promote", "it is marked no_promote"
			}
			if before != nil {
				return before(st)
			}
			return nil
		}
	}
	failover(t, dead(), deadA, forbid).hasNot("promote: promote b").ends(mpp.Completed, "c:1 takes writes")
	switchover(t, threeNodes(), forbid).hasNot("promote: promote b").ends(mpp.RolledBack, "b:1 may not be promoted any more: it is marked no_promote").restoredBy()
}
