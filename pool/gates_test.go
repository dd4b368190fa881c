package pool

import (
	"strings"
	"testing"
	"time"

	"mpp"
)

// lost is a settled pool whose writer is dead for long enough, with steps that nobody carries out.
func lostWriter(t *testing.T, change ...func(*Policy)) *rig {
	r := settled(t, append(change, func(p *Policy) { p.Failover.Manual = true })...)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(4)
	return r
}

func TestEveryGateIsOpenWhenTheWriterIsLostAndNothingStandsInTheWay(t *testing.T) {
	r := lostWriter(t)
	for gate, evidence := range map[string]string{
		"dead": "a:1 failed 4 polls in a row since 03:00:0", "witnessed": "b:1 has lost it (IO thread: Connecting, error 2003); c:1 has lost it",
		"not-us": "there are no checkpoints", "candidate": "b:1 would be promoted (complete: nobody has more)",
		"complete": "nothing that was there at its last poll", "calm": "no failover stopped half-way",
	} {
		r.wantGate(gate, true, evidence)
	}
	r.wantGate("allowed", false, "mode = \"manual\"")
	r = settled(t)
	for _, gate := range []string{"dead", "witnessed", "not-us", "candidate", "complete", "calm", "allowed"} {
		r.wantGateIf(gate, true, true, "")
	}
	if ready := r.a.Readiness(r.now.Add(time.Second)); !ready.Ready || ready.Summary != "ready: if a:1 died now, b:1 would take over" {
		t.Errorf("readiness: %+v", ready)
	}
}

func TestGateDead(t *testing.T) {
	r := settled(t)
	r.wantGate("dead", false, "a:1 answers")
	r.wantGateIf("dead", true, true, "assumed")
	r.server("a").trouble = mpp.KindHung
	r.poll("a")
	r.wantGate("dead", false, "a:1 failed 1 polls in a row, 4 make it dead: hung")

	r = newRig(t)
	r.wantGate("dead", false, "no node is ACTIVE")
}

func TestGraceIsAWaitFromTheFirstMissOn(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Grace = 10 * time.Second })
	r.server("a").trouble = mpp.KindRefused
	r.rounds(10)
	r.noFailover()
	r.wantGate("dead", false, "grace has ")
	r.wantGateIf("dead", true, true, "assumed")
	r.server("a").trouble = ""
	r.rounds(2)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(10)
	r.noFailover() // it starts anew with each outage
	for r.started(mpp.OpFailover) == 0 && r.now.Before(time.Date(2026, 3, 1, 3, 1, 0, 0, time.UTC)) {
		r.rounds(1)
	}
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}

func TestGateWitnessed(t *testing.T) {
	r := settled(t)
	r.wantGate("witnessed", false, "nothing was missed yet")
	r.wantGateIf("witnessed", true, true, "would be told by b:1, c:1")
	r.server("b").trouble, r.server("c").trouble = mpp.KindNoAnswer, mpp.KindNoAnswer
	r.rounds(1)
	r.wantGateIf("witnessed", true, false, "nobody could say that it is dead")
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	r.noFailover()
	r.wantGate("witnessed", false, "b:1 was not heard since then; c:1 was not heard since then")

	r = lostWriter(t)
	r.server("c").io, r.server("c").ioErrno, r.server("a").trouble = "Yes", 0, mpp.KindNoAnswer
	r.poll("c")
	r.wantGate("witnessed", false, "not all links are broken")

	r = newRig(t)
	r.wantGate("witnessed", false, "no node is ACTIVE")
}

func TestGateNotUs(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Checkpoints = []CheckpointPolicy{{Name: "gw", Ring: mpp.Edge}} })
	r.wantGateIf("not-us", true, true, "a checkpoint answers")
	r.server("a").trouble = mpp.KindNoAnswer
	r.poll("a")
	r.wantGate("not-us", false, "no checkpoint has answered since the first miss")
	r.now = r.now.Add(time.Millisecond)
	r.step(mpp.Input{Checkpoint: &mpp.CheckpointResult{Name: "gw", At: r.now, Reached: true}})
	r.wantGate("not-us", true, "a checkpoint answers")
	r.now = r.now.Add(time.Millisecond)
	r.step(mpp.Input{Checkpoint: &mpp.CheckpointResult{Name: "gw", At: r.now, Message: "no route"}})
	r.wantGate("not-us", false, "this poller is cut off: edge checkpoint gw: no route")
	r.wantGateIf("not-us", true, false, "this poller is cut off")
}

func TestGateCandidate(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Nodes[1].NoPromote = true })
	r.wantGate("candidate", true, "c:1 would be promoted")
	r.server("c").trouble = mpp.KindRefused
	r.rounds(1)
	r.wantGateIf("candidate", true, false, "no node may be promoted: b:1: it is marked no_promote; c:1: its last poll failed: refused")
	r.rounds(4)
	r.wantGate("candidate", false, "c:1: it is FAIL (OFFLINE), not STANDBY")

	r = settled(t)
	for what, change := range map[string]func(s *fakeServer){
		"its copy is not to be trusted":                 func(s *fakeServer) { s.sql, s.sqlErrno = "No", 1062 },
		"far behind":                                    func(s *fakeServer) { s.lag = time.Hour },
		"it has transactions that no other node has: 0": func(s *fakeServer) { s.extra = uuidOf("b") + ":1" },
	} {
		r := settled(t)
		change(r.server("b"))
		r.poll("b")
		r.poll("a")
		found := false
		for _, c := range r.a.Readiness(r.now.Add(time.Hour)).Candidates {
			found = found || (c.Address == "b:1" && c.Rank == 0 && strings.Contains(c.Why, what))
		}
		if !found {
			t.Errorf("%s: %+v", what, r.a.Readiness(r.now).Candidates)
		}
	}
	r.policy.Nodes = r.policy.Nodes[:1]
	r.a.Reconfigure(r.now, r.policy)
	r.wantGate("candidate", false, "the pool has no other node")
}

func TestGateComplete(t *testing.T) {
	r := settled(t)
	r.server("a").executed = 104
	r.poll("a")
	r.poll("b")
	r.poll("c")
	r.wantGateIf("complete", true, false, "4 transactions are on a:1 alone (00000000-0000-0000-0000-00000000000a:101-104), and max_loss is 0")
	if ready := r.a.Readiness(r.now.Add(time.Hour)); ready.Ready || ready.LossCount != 4 {
		t.Errorf("readiness: %+v", ready)
	}
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	r.noFailover()
	r.wantGate("complete", false, "4 transactions are on a:1 alone")
	r.server("c").received = 104
	r.rounds(1)
	r.want("a FAIL (OFFLINE), b STANDBY, c ACTIVE") // it has more

	r = newRig(t)
	r.wantGate("complete", false, "no node is ACTIVE")
}

func TestMaxLossAndTheDeadHostsLogOpenGateComplete(t *testing.T) {
	for want, change := range map[string]func(*Policy){
		"which max_loss allows":                             func(p *Policy) { p.Failover.MaxLoss = 4 },
		"4 transactions are on a:1 alone":                   func(p *Policy) { p.Failover.AnyLoss = true },
		"they would be read from its host over ssh, or the": func(p *Policy) { p.Failover.BinlogTail = true },
	} {
		r := settled(t, change)
		r.server("a").executed = 104
		r.poll("a")
		r.poll("b")
		r.poll("c")
		r.wantGateIf("complete", true, true, want)
	}
}

func TestWhatWasWrittenBetweenTwoPollsIsNoLoss(t *testing.T) {
	r := settled(t)
	for range 5 { // under load a is always ahead of what its replicas said last
		r.server("a").executed += 10
		r.poll("a")
		r.wantGateIf("complete", true, true, "nothing that was there at its last poll")
		r.server("b").received, r.server("c").received = r.server("a").executed, r.server("a").executed
		r.poll("b")
		r.poll("c")
	}
}

// semiSynced is a pool whose replicas acknowledge.
func semiSynced(r *rig) {
	r.server("a").semi = &mpp.SemiSync{Source: true, Clients: 2}
	r.server("b").semi, r.server("c").semi = &mpp.SemiSync{Replica: true}, &mpp.SemiSync{Replica: true}
	r.rounds(2)
}

func TestTheSemiSyncPromiseOpensGateComplete(t *testing.T) {
	r := settled(t)
	semiSynced(r)
	r.wantGateIf("complete", true, true, "nothing that was acknowledged: commits waited for one of 2 replicas")
	r.server("c").trouble = mpp.KindRefused
	r.poll("c")
	r.wantGateIf("complete", true, false, "c:1 acknowledges commits of a:1 and cannot be asked")
	r.server("a").semi = &mpp.SemiSync{Source: true, Clients: 1}
	r.poll("a") // it has noticed, too: c was lost before
	r.poll("b")
	r.wantGateIf("complete", true, true, "one of 1 replicas")
	r.server("a").semi = &mpp.SemiSync{Source: true, Clients: 2}
	r.poll("a") // somebody else acknowledges in its place, or it lives and only we cannot reach it
	r.poll("b")
	r.wantGateIf("complete", true, false, "c:1 acknowledges")
	r.server("a").semi = &mpp.SemiSync{Source: true, Clients: 3}
	r.poll("a")
	r.poll("b")
	r.wantGateIf("complete", true, false, "c:1, a server outside the pool acknowledges")
}

func TestAnAcknowledgingReplicaThatDiesWithTheWriterKeepsTheFailoverFromStarting(t *testing.T) {
	r := settled(t)
	semiSynced(r)
	r.server("a").trouble, r.server("c").trouble = mpp.KindRefused, mpp.KindRefused
	r.rounds(6)
	r.noFailover()
	r.wantGate("complete", false, "c:1 acknowledges commits of a:1 and cannot be asked")
	r.server("c").trouble = ""
	r.rounds(2)
	r.want("a FAIL (OFFLINE), b ACTIVE, c FAIL (OFFLINE)")
}

func TestASecondReplicaThatWasDownBeforeDoesNotKeepAFailoverFromStarting(t *testing.T) {
	r := settled(t)
	semiSynced(r)
	r.server("c").trouble = mpp.KindRefused
	r.rounds(5)
	r.server("a").semi = &mpp.SemiSync{Source: true, Clients: 1}
	r.rounds(1)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	r.want("a FAIL (OFFLINE), b ACTIVE, c FAIL (OFFLINE)")
}

func TestGateCalm(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Cooldown = time.Minute })
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.server("a").trouble = ""
	r.rounds(5)
	r.wantGate("calm", false, "cooldown is 1m0s")
	r.wantGateIf("calm", true, false, "cooldown is 1m0s")
	r.server("b").trouble = mpp.KindRefused
	r.rounds(6)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	r.now = r.now.Add(time.Minute)
	r.rounds(2)
	if r.started(mpp.OpFailover) != 2 {
		t.Errorf("not started after the cooldown: %+v", r.a.outage(r.now, false).gates())
	}
}

func TestCooldownCountsFromWhenTheNewWriterWasOpened(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Cooldown = time.Minute })
	r.server("a").trouble = mpp.KindRefused
	r.rounds(3)
	for r.started(mpp.OpFailover) == 0 {
		r.poll("a")
	}
	r.until("repoint c <- b")
	r.wantGate("calm", false, "cooldown is 1m0s")
}

func TestAStoppedFailoverBlocksTheNextUntilItIsAcknowledged(t *testing.T) {
	r := settled(t)
	broken := true
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if broken && task.Step.Kind == mpp.StepDrain {
			return &mpp.StepResult{Text: "error 1205"}
		}
		return nil
	}
	r.server("a").trouble = mpp.KindRefused
	r.rounds(6)
	r.noneBut(1)
	r.wantGate("calm", false, "failover 1 stopped half-way and nobody has acknowledged it")
	if text := r.problem("unacknowledged"); !strings.Contains(text, "failover 1 stopped") {
		t.Errorf("problem %q", text)
	}
	broken = false
	r.restart(r.policy)
	r.rounds(6)
	r.noneBut(1)
	r.refused(mpp.Command{Verb: mpp.VerbAcknowledge, Operation: 9}, "failover 9 does not wait")
	if result := r.command(mpp.Command{Verb: mpp.VerbAcknowledge}); !result.Done || len(result.Changes) != 1 {
		t.Errorf("%+v", result)
	}
	r.refused(mpp.Command{Verb: mpp.VerbAcknowledge}, "no failover of pool orders waits")
	r.rounds(2)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}

func (r *rig) noneBut(count int) {
	r.t.Helper()
	if r.started(mpp.OpFailover) != count {
		r.t.Fatalf("%d failovers were started, want %d", r.started(mpp.OpFailover), count)
	}
}

func TestGateAllowed(t *testing.T) {
	maintenance := mpp.Command{Verb: mpp.VerbMaintenance, Maintenance: mpp.Maintenance{On: true}}
	r := settled(t)
	r.wantGateIf("allowed", true, true, "mode = \"auto\"")
	r.command(maintenance)
	r.wantGateIf("allowed", true, false, "the pool is in maintenance until it is ended by command")
	r.server("a").trouble = mpp.KindRefused
	r.rounds(8)
	r.noFailover()
	if len(r.log) > 0 {
		t.Errorf("steps in maintenance: %v", r.log)
	}
	r.command(mpp.Command{Verb: mpp.VerbMaintenance})
	r.rounds(3)
	r.noFailover() // the count begins anew
	r.rounds(3)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")

	r = settled(t)
	maintenance.Node = "a:1"
	r.command(maintenance)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(8)
	r.noFailover()
	r.wantGate("allowed", false, "a:1 is in maintenance")
}

func TestGateAllowedIsClosedWhileTheRoleMoves(t *testing.T) {
	r := settled(t)
	r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
	r.until("read-only a")
	r.wantGate("allowed", false, "operation 1 (switchover) is under way")
	r.server("a").trouble = mpp.KindRefused
	for range 5 {
		for _, name := range []string{"a", "b", "c"} {
			r.poll(name)
		}
	}
	r.noFailover()
	r.rounds(6) // it is taken back as far as that goes, and then a is failed over
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}

func TestAnUnfitCandidateOfYesterdayIsNoneAfterARestart(t *testing.T) {
	r := settled(t)
	r.server("b").extra = uuidOf("b") + ":1"
	r.rounds(2)
	r.server("a").trouble = mpp.KindRefused
	r.poll("a")
	r.restart(r.policy)
	r.rounds(8)
	r.want("a FAIL (OFFLINE), b STANDBY, c ACTIVE")
}

func TestReadinessNamesWhatBlocksAndWhatMakesItWorse(t *testing.T) {
	r := settled(t)
	r.server("b").extra = uuidOf("b") + ":1"
	r.server("c").io = "No"
	r.server("a").vip = false
	r.rounds(2)
	r.look("a")
	r.step(mpp.Input{AddressReport: &mpp.AddressReport{Node: "c:1", At: r.now, Known: true, Message: "there is no interface eth9 (but eth0)"}})
	r.now = r.now.Add(2 * time.Second)
	ready := r.a.Readiness(r.now)
	if ready.Ready || !strings.HasPrefix(ready.Summary, "not ready: if a:1 died now, nothing would be promoted (") {
		t.Errorf("summary %q", ready.Summary)
	}
	all := strings.Join(append(ready.Blockers, ready.Warnings...), "\n")
	for _, want := range []string{
		"candidate: no node may be promoted", "b:1 has transactions that the ACTIVE node does not have", "a:1 does not have the virtual address",
		"the virtual address on the host of c:1: there is no interface eth9",
	} {
		if !strings.Contains(all, want) {
			t.Errorf("it does not say %q:\n%s", want, all)
		}
	}
	if text := r.problem("not-ready"); text != ready.Summary {
		t.Errorf("problem %q", text)
	}
	if ready.ExpectedOutage != "until somebody acts" || ready.ExpectedLoss == "" {
		t.Errorf("%+v", ready)
	}
}
