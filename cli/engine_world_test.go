package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
	"mpp/publish/api/client"
)

const (
	db1 = "10.0.0.1:3306"
	db2 = "10.0.0.2:3306"
	db3 = "10.0.0.3:3306"
)

// engined is a world whose pool shop has an engine, with what it does and did.
type engined struct {
	*world
	ready *mpp.Readiness
	kept  []mpp.Operation
	// answer is what commands are answered with; commands are those that came.
	answer   func(mpp.Command) mpp.Result
	commands []mpp.Command
	// course is what an operation looks like at each look; the last one stays.
	course []mpp.Operation
	looks  int
	found  *mpp.Diagnosis
}

// native is the healthy world with an engine in pool shop: ready to fail over.
func native() *engined {
	e := &engined{world: healthy(), kept: history(), ready: readyPool(), found: diagnosed()}
	e.spoil = func(v *mpp.View) {
		p := &v.Pools[0]
		p.Engine, p.Addresses, p.Readiness = mpp.EngineNative, []string{"10.0.0.100/32"}, e.ready
		for i := range p.Nodes {
			holds := p.Nodes[i].Address == p.Active
			p.Nodes[i].VirtualAddress = &mpp.AddressReport{Node: p.Nodes[i].Address, At: e.now, Known: true, Holds: holds, Some: holds}
		}
	}
	return e
}

// and changes the view further.
func (e *engined) and(change func(p *mpp.PoolView)) *engined {
	before := e.spoil
	e.spoil = func(v *mpp.View) {
		before(v)
		change(&v.Pools[0])
	}
	return e
}

// client is a Client that asks the world.
func (e *engined) client() *fake {
	c := e.world.client()
	c.explain = func(name string) (*mpp.Explanation, error) {
		x := e.pools[e.find(name)].Explain(e.now)
		if name == "shop" {
			x.Readiness = e.ready
		}
		return &x, nil
	}
	c.operations = func(pool string, limit int) ([]mpp.Operation, error) {
		var list []mpp.Operation
		for _, o := range e.kept {
			if o.Pool == pool && (limit == 0 || len(list) < limit) {
				list = append(list, o)
			}
		}
		return list, nil
	}
	c.operation = func(pool string, id uint64) (*mpp.Operation, error) {
		if len(e.course) > 0 && id == e.course[0].ID {
			o := e.course[min(e.looks, len(e.course)-1)]
			e.looks++
			return &o, nil
		}
		for _, o := range e.kept {
			if o.Pool == pool && o.ID == id {
				return &o, nil
			}
		}
		return nil, client.ErrNotFound
	}
	c.do = func(name string, command mpp.Command) (mpp.Result, error) {
		if e.answer == nil {
			return e.step(e.find(name), e.now, mpp.Input{Command: &command}), nil
		}
		e.commands = append(e.commands, command)
		return e.answer(command), nil
	}
	c.doctor = func(string) (*mpp.Diagnosis, error) { return e.found, nil }
	return c
}

func readyPool() *mpp.Readiness {
	return &mpp.Readiness{
		Pool: "shop", At: moment(), Ready: true, Summary: "ready: if 10.0.0.1:3306 died now, 10.0.0.2:3306 would take over",
		Now: []mpp.Gate{
			{Name: "dead", Evidence: "10.0.0.1:3306 answers"},
			{Name: "witnessed", Evidence: "nothing was missed yet"},
			{Name: "not-us", Open: true, Evidence: "a checkpoint answers"},
			{Name: "candidate", Open: true, Evidence: "10.0.0.2:3306 would be promoted (complete)"},
			{Name: "complete", Open: true, Evidence: "nothing that was acknowledged: 2 replicas acknowledge before a commit returns"},
			{Name: "calm", Open: true, Evidence: "no failover stopped half-way"},
			{Name: "allowed", Open: true, Evidence: `mode = "auto"`},
		},
		IfActiveDied: []mpp.Gate{
			{Name: "dead", Open: true, Evidence: "assumed"},
			{Name: "witnessed", Open: true, Evidence: "would be told by 10.0.0.2:3306, 10.0.0.3:3306"},
			{Name: "not-us", Open: true, Evidence: "a checkpoint answers"},
			{Name: "candidate", Open: true, Evidence: "10.0.0.2:3306 would be promoted (complete)"},
			{Name: "complete", Open: true, Evidence: "nothing that was acknowledged: 2 replicas acknowledge before a commit returns"},
			{Name: "calm", Open: true, Evidence: "no failover stopped half-way"},
			{Name: "allowed", Open: true, Evidence: `mode = "auto"`},
		},
		Candidates: []mpp.Candidate{
			{Address: db2, Rank: 1, Why: "complete; SECONDARY, first in the pool"},
			{Address: db3, Why: "marked no_promote"},
		},
		ExpectedLoss: "nothing that was acknowledged: 2 replicas acknowledge before a commit returns", ExpectedOutage: "about 0.6s if its server dies, 2.4s if its host falls silent",
		Blockers: []string{}, Warnings: []string{"MariaDB's read_only does not stop accounts with READ ONLY ADMIN"},
	}
}

func unreadyPool() *mpp.Readiness {
	r := readyPool()
	loss := "17 transactions are on 10.0.0.1:3306 alone (0-1-48097-48113)"
	r.Ready, r.Summary = false, "not ready: if 10.0.0.1:3306 died now, nothing would be promoted (complete: "+loss+", and max_loss is 0)"
	r.IfActiveDied[4] = mpp.Gate{Name: "complete", Evidence: loss + ", and max_loss is 0"}
	r.Now[4] = r.IfActiveDied[4]
	r.Candidates[0].Missing = "0-1-48097-48113"
	r.ExpectedLoss, r.LossCount, r.Blockers = loss, 17, []string{"complete: " + loss + ", and max_loss is 0"}
	return r
}

// steps lays steps out in time: each phase begins when the one before has ended.
type steps struct {
	at   time.Time
	list []mpp.Step
}

// phase adds the steps of one phase; they run at the same time.
func (s *steps) phase(name string, all ...mpp.Step) {
	longest := time.Duration(0)
	for _, st := range all {
		st.N, st.Phase, st.Began = len(s.list)+1, name, s.at
		if st.Limit == 0 {
			st.Limit = 10 * time.Second
		}
		if st.Status == "" {
			st.Status = mpp.StepDone
		}
		longest = max(longest, st.Took)
		s.list = append(s.list, st)
	}
	s.at = s.at.Add(longest)
}

func ms(n float64) time.Duration { return time.Duration(n * float64(time.Millisecond)) }

// died is when the ACTIVE node of the failover in the history died.
func died() time.Time { return time.Date(2026, 2, 27, 2, 40, 0, 120e6, zone()) }

// failedOver is a failover from db1 to db2 in which nothing was lost.
func failedOver() mpp.Operation {
	miss := died()
	s := &steps{at: miss.Add(ms(302))}
	s.phase("fence",
		mpp.Step{Kind: mpp.StepRemoveAddress, Node: db1, Took: ms(31), Text: "10.0.0.100/32 removed from eth0", Optional: true},
		mpp.Step{Kind: mpp.StepReadOnly, Node: db1, Took: ms(1.2), Status: mpp.StepFailed, Unreachable: true, Text: "connection refused", Optional: true},
		mpp.Step{Kind: mpp.StepStopReceiver, Node: db2, Took: ms(2.1), Text: "received up to 0-1-48113"},
		mpp.Step{Kind: mpp.StepStopReceiver, Node: db3, Took: ms(3.4), Text: "received up to 0-1-48110"},
	)
	s.phase("drain", mpp.Step{Kind: mpp.StepDrain, Node: db2, Took: ms(6.3), Text: "executed up to 0-1-48113"})
	s.phase("promote", mpp.Step{Kind: mpp.StepPromote, Node: db2, Took: ms(2.4), Text: "open for writes"})
	opened := s.at
	s.phase("address", mpp.Step{Kind: mpp.StepAddAddress, Node: db2, Took: ms(8.8), Text: "10.0.0.100/32 on eth0, announced"})
	s.phase("repoint",
		mpp.Step{Kind: mpp.StepRepoint, Node: db3, Peer: db2, Took: ms(74), Text: "replicates from 10.0.0.2:3306"},
		mpp.Step{Kind: mpp.StepEventsOn, Node: db2, Took: ms(1.1), Text: "2 events enabled"},
	)
	s.phase("after", mpp.Step{Kind: mpp.StepHook, Detail: "after-failover", Took: ms(112), Text: "chat: ended with status 0"})
	return mpp.Operation{
		ID: 3, Pool: "shop", Kind: mpp.OpFailover, Reason: "10.0.0.1:3306 failed 4 polls in a row since 02:40:00.120: connection refused",
		Old: db1, New: db2, Phase: "after", FirstMiss: miss, Began: miss.Add(ms(302)), Opened: opened, Ended: s.at,
		Outcome: mpp.Completed, Why: "10.0.0.2:3306 takes writes",
		Gates: []mpp.Gate{
			{Name: "dead", Open: true, Evidence: "10.0.0.1:3306 failed 4 polls in a row since 02:40:00.120: connection refused"},
			{Name: "witnessed", Open: true, Evidence: "10.0.0.2:3306 has lost it (IO thread: Connecting, error 2003)"},
			{Name: "not-us", Open: true, Evidence: "a checkpoint answers"},
		},
		Candidates: []mpp.Candidate{
			{Address: db2, Rank: 1, Why: "complete; SECONDARY, first in the pool"},
			{Address: db3, Rank: 2, Why: "SECONDARY", Missing: "0-1-48111-48113"},
		},
		Steps: s.list, NothingLost: "10.0.0.2:3306 had received everything up to the end of the binary log of 10.0.0.1:3306",
		Notes: []string{
			"10.0.0.1:3306 is fenced: it has lost the virtual address",
			"to bring 10.0.0.1:3306 back: start it, and it is made a replica again if it holds nothing extra; else mpp rejoin 10.0.0.1:3306 tells what it holds",
		},
	}
}

// stoppedHalfWay is a failover that nobody has seen to.
func stoppedHalfWay() mpp.Operation {
	o := failedOver()
	o.ID, o.Outcome, o.Opened, o.New, o.NothingLost = 6, mpp.Stopped, time.Time{}, "", ""
	o.FirstMiss, o.Began = moment().Add(-20*time.Minute), moment().Add(-20*time.Minute+ms(300))
	s := &steps{at: o.Began}
	s.phase("fence",
		mpp.Step{Kind: mpp.StepShutdown, Node: db1, Took: 10 * time.Second, Status: mpp.StepFailed, Text: "/etc/mpp/stonith ended with status 1: no such outlet", Optional: true},
		mpp.Step{Kind: mpp.StepStopReceiver, Node: db2, Took: ms(2)},
	)
	s.phase("give-up", mpp.Step{Kind: mpp.StepStartReplica, Node: db2, Took: ms(4), Undo: true})
	o.Steps, o.Ended, o.Phase = s.list, s.at, "give-up"
	o.Why = `10.0.0.1:3306 could not be fenced, and fence = "required"`
	o.Notes = []string{"nothing was promoted: turn 10.0.0.1:3306 off, then mpp failover shop"}
	return o
}

// switchedOver is a switchover from db1 to db2 that begins at the time given.
func switchedOver(began time.Time) mpp.Operation {
	s := &steps{at: began}
	s.phase("check",
		mpp.Step{Kind: mpp.StepCheck, Node: db1, Took: ms(21), Text: "login, grants, ssh, eth0"},
		mpp.Step{Kind: mpp.StepCheck, Node: db2, Took: ms(24), Text: "login, grants, ssh, eth0"},
		mpp.Step{Kind: mpp.StepCheck, Node: db3, Took: ms(19), Text: "login, grants", Optional: true},
	)
	s.phase("prepare",
		mpp.Step{Kind: mpp.StepReadOnly, Node: db2, Took: ms(1.1)},
		mpp.Step{Kind: mpp.StepAwaitSet, Node: db2, GTID: "0-1-48113", Took: ms(2.7), Text: "executed 0-1-48113", Limit: 30 * time.Second},
	)
	s.phase("cut",
		mpp.Step{Kind: mpp.StepReadOnly, Node: db1, Took: ms(2.2), Text: "read_only = 1; 2 writers were killed", Limit: 5 * time.Second},
		mpp.Step{Kind: mpp.StepEndSessions, Node: db1, Took: ms(3.1), Text: "14 sessions ended", Limit: 5 * time.Second},
		mpp.Step{Kind: mpp.StepRemoveAddress, Node: db1, Took: ms(12), Text: "10.0.0.100/32 removed from eth0", Limit: 5 * time.Second},
	)
	s.phase("catch-up", mpp.Step{Kind: mpp.StepAwaitSet, Node: db2, GTID: "0-1-48120", Took: ms(1.9), Text: "executed 0-1-48120", Limit: 5 * time.Second})
	s.phase("promote", mpp.Step{Kind: mpp.StepPromote, Node: db2, Took: ms(2.3), Text: "open for writes", Limit: 5 * time.Second})
	opened := s.at
	s.phase("address", mpp.Step{Kind: mpp.StepAddAddress, Node: db2, Took: ms(9.1), Text: "10.0.0.100/32 on eth0, announced", Optional: true})
	s.phase("repoint",
		mpp.Step{Kind: mpp.StepRepoint, Node: db3, Peer: db2, Took: ms(61), Status: mpp.StepFailed, Text: "timed out", Optional: true},
		mpp.Step{Kind: mpp.StepRepoint, Node: db1, Peer: db2, Took: ms(48), Text: "replicates from 10.0.0.2:3306", Optional: true},
	)
	return mpp.Operation{
		ID: 7, Pool: "shop", Kind: mpp.OpSwitchover, By: "ada", Reason: "asked for by ada", Old: db1, New: db2, Wanted: db2, Phase: "repoint",
		Began: began, Opened: opened, Ended: s.at, Outcome: mpp.Completed, Why: "10.0.0.2:3306 takes writes, 10.0.0.1:3306 is a replica", Steps: s.list,
		NothingLost: "10.0.0.2:3306 had executed everything that 10.0.0.1:3306 had, after its last session was gone",
		Notes:       []string{"10.0.0.3:3306 is no replica of 10.0.0.2:3306 yet: timed out; mpp rejoin 10.0.0.3:3306"},
	}
}

// undone is a switchover that was taken back because the promotion failed.
func undone(began time.Time) mpp.Operation {
	o := switchedOver(began)
	o.Steps = slices.Clone(o.Steps[:10])
	o.Steps[9].Status, o.Steps[9].Text = mpp.StepFailed, "error 1205: lock wait timeout"
	s := &steps{at: o.Opened, list: o.Steps}
	s.phase("undo-new", mpp.Step{Kind: mpp.StepReadOnly, Node: db2, Took: ms(1), Undo: true, Optional: true})
	s.phase("undo-old",
		mpp.Step{Kind: mpp.StepWritable, Node: db1, Took: ms(1.3), Undo: true, Optional: true},
		mpp.Step{Kind: mpp.StepAddAddress, Node: db1, Took: ms(9), Text: "10.0.0.100/32 on eth0, announced", Undo: true, Optional: true},
	)
	o.Steps, o.Opened, o.Ended, o.Outcome, o.Phase = s.list, time.Time{}, s.at, mpp.RolledBack, "undo-old"
	o.Why = "10.0.0.1:3306 takes writes again: promote on 10.0.0.2:3306 failed: error 1205: lock wait timeout"
	o.NothingLost, o.Notes = "", nil
	return o
}

// rejoined is a repair of db1.
func rejoined() mpp.Operation {
	s := &steps{at: died().Add(time.Hour)}
	s.phase("fence", mpp.Step{Kind: mpp.StepReadOnly, Node: db1, Took: ms(1)})
	s.phase("compare", mpp.Step{Kind: mpp.StepPosition, Node: db1, Took: ms(1)}, mpp.Step{Kind: mpp.StepPosition, Node: db2, Took: ms(1)})
	s.phase("repoint", mpp.Step{Kind: mpp.StepRepoint, Node: db1, Peer: db2, Took: ms(44), Text: "replicates from 10.0.0.2:3306"})
	return mpp.Operation{
		ID: 4, Pool: "shop", Kind: mpp.OpRejoin, Reason: "10.0.0.1:3306 answers again", Old: db1, New: db2, Phase: "repoint",
		Began: died().Add(time.Hour), Ended: s.at, Outcome: mpp.Completed, Why: "10.0.0.1:3306 is a replica of 10.0.0.2:3306", Steps: s.list,
	}
}

// history is what pool shop did, newest first.
func history() []mpp.Operation {
	back := switchedOver(died().Add(3 * time.Hour))
	swap := strings.NewReplacer(db1, db2, db2, db1).Replace // the same the other way round
	back.ID, back.Old, back.New, back.Wanted = 5, db2, db1, ""
	back.Why, back.NothingLost, back.Notes = swap(back.Why), swap(back.NothingLost), []string{swap(back.Notes[0])}
	for i := range back.Steps {
		st := &back.Steps[i]
		st.Node, st.Peer, st.Text = swap(st.Node), swap(st.Peer), swap(st.Text)
	}
	return []mpp.Operation{back, rejoined(), failedOver()}
}

// before is how an operation looked at a time: steps that had not begun were not there yet.
func before(o mpp.Operation, at time.Time) mpp.Operation {
	all := o.Steps
	o.Steps, o.Ended, o.Outcome, o.Why, o.Notes = nil, time.Time{}, "", "", nil
	if o.Opened.After(at) {
		o.Opened, o.NothingLost = time.Time{}, ""
	}
	for _, s := range all {
		if s.Began.After(at) {
			break
		}
		if stepEnd(&s).After(at) {
			s.Status, s.Took, s.Text = mpp.StepRunning, 0, ""
		}
		o.Steps, o.Phase = append(o.Steps, s), s.Phase
	}
	return o
}

// goingThrough is a world in which every command starts an operation that goes this way.
func goingThrough(o mpp.Operation) *engined {
	e := native()
	for _, after := range []time.Duration{ms(10), ms(30), ms(45)} {
		e.course = append(e.course, before(o, o.Began.Add(after)))
	}
	e.course = append(e.course, o)
	e.answer = func(c mpp.Command) mpp.Result {
		if c.Options.DryRun {
			return rehearsed(o)
		}
		return mpp.Result{Done: true, Changes: []string{fmt.Sprintf("operation %d: %s %s -> %s", o.ID, o.Kind, o.Old, o.New)}, Operation: o.ID}
	}
	return e
}

// rehearsed is the answer to a dry run.
func rehearsed(o mpp.Operation) mpp.Result {
	plan := o
	plan.ID, plan.Outcome, plan.Why, plan.Opened, plan.Ended, plan.Notes, plan.Steps = 0, "", "", time.Time{}, time.Time{}, nil, slices.Clone(o.Steps)
	r := mpp.Result{Done: true, Changes: []string{}}
	for i := range plan.Steps {
		s := &plan.Steps[i]
		s.Status, s.Began, s.Took, s.Text = "planned", time.Time{}, 0, ""
		var says []string
		switch s.Kind {
		case mpp.StepReadOnly:
			says = []string{"SET SESSION lock_wait_timeout = 1", "SET GLOBAL read_only = 1"}
		case mpp.StepAwaitSet:
			says = []string{"SELECT MASTER_GTID_WAIT('" + s.GTID + "', 30)"}
		case mpp.StepRemoveAddress:
			says = []string{"ssh root@10.0.0.1 ip address del 10.0.0.100/32 dev eth0"}
		default:
		}
		r.Statements = append(r.Statements, says)
	}
	r.Plan = &plan
	return r
}

// refusing is a world in which every command of an engine is refused.
func refusing() *engined {
	e := native()
	e.answer = func(c mpp.Command) mpp.Result {
		text := map[mpp.Verb]string{
			mpp.VerbSwitchover:  "10.0.0.3:3306 is marked no_promote",
			mpp.VerbFailover:    "10.0.0.1:3306 is ACTIVE and answers: mpp switchover shop moves the role without loss",
			mpp.VerbRejoin:      "10.0.0.1:3306 is the ACTIVE node",
			mpp.VerbAcknowledge: "failover 3 does not wait: none of pool shop waits to be acknowledged",
		}[c.Verb]
		return mpp.Result{Refused: text, Changes: []string{}}
	}
	return e
}

// stoppedPool is a world after a failover that stopped.
func stoppedPool() *engined {
	e := native()
	e.kept = append([]mpp.Operation{stoppedHalfWay()}, e.kept...)
	e.answer = func(mpp.Command) mpp.Result {
		return mpp.Result{Done: true, Changes: []string{"failover 6 of pool shop is acknowledged"}}
	}
	return e
}

// lossy is a world with a failover by hand that lost transactions.
func lossy() *engined {
	o := failedOver()
	o.ID, o.By, o.Reason, o.FirstMiss, o.NothingLost = 6, "ada", "asked for by ada", time.Time{}, ""
	o.Lost, o.LostCount, o.Options = "0-1-48114-48116", 3, mpp.OperationOptions{AcceptLoss: true}
	return goingThrough(o)
}

// switching is a world in the middle of a switchover, with a repair beside it.
func switching() *engined {
	o := switchedOver(moment().Add(-300 * time.Millisecond))
	now := before(o, o.Began.Add(ms(30)))
	fence := mpp.Operation{
		ID: 8, Pool: "shop", Kind: mpp.OpFence, Reason: "it has the virtual address and is not ACTIVE", Old: db3, Phase: "fence", Began: moment().Add(-time.Second),
		Steps: []mpp.Step{{N: 1, Kind: mpp.StepRemoveAddress, Phase: "fence", Node: db3, Status: mpp.StepRunning, Began: moment().Add(-time.Second)}},
	}
	e := native().and(func(p *mpp.PoolView) {
		p.Operation, p.Repairs = &now, []*mpp.Operation{&fence}
		p.Nodes[2].VirtualAddress.Holds, p.Nodes[2].VirtualAddress.Some = true, true
	})
	e.kept = append([]mpp.Operation{fence, now}, e.kept...)
	return e
}

func diagnosed() *mpp.Diagnosis {
	return &mpp.Diagnosis{Pool: "shop", At: moment(), Took: ms(1204), Findings: []mpp.Finding{
		{What: "hook chat", Status: mpp.Fail, Text: "hook chat: exec: \"/usr/local/bin/tell-chat\": permission denied", Hint: "make it an executable file, or take the hook out"},
		{Node: db1, What: "failover account", Status: mpp.Fail, Text: "account mpp_failover lacks RELOAD ON *.* (failover)"},
		{Node: db1, What: "ssh", Text: "root@10.0.0.1 takes commands as root"},
		{Node: db2, What: "failover account", Text: "account mpp_failover may do what is needed"},
		{Node: db2, What: "replication account", Text: "account repl may replicate from it, seen from here"},
		{Node: db2, What: "clone", Status: mpp.Info, Text: "mpp rejoin --clone would not work: on the host of 10.0.0.2:3306: mariadb-backup is not there"},
		{Node: db2, What: "setting sync-binlog", Status: mpp.Warn, Text: "sync_binlog is 0: a crash of the host loses transactions that replicas have"},
		{Node: db3, What: "ssh", Status: mpp.Fail, Text: "no answer within 1s"},
	}}
}

// worlds of pools with an engine, for transcripts.
func engineWorlds() map[string]func() *engined {
	now := moment()
	return map[string]func() *engined{
		"engine":    native,
		"switching": switching,
		"moving": func() *engined {
			o := switchedOver(moment().Add(-300 * time.Millisecond))
			o = before(o, o.Began.Add(ms(30)))
			return native().and(func(p *mpp.PoolView) { p.Operation = &o })
		},
		"switchover":  func() *engined { return goingThrough(switchedOver(now)) },
		"rolled-back": func() *engined { return goingThrough(undone(now)) },
		"by-hand":     lossy,
		"rejoin": func() *engined {
			o := rejoined()
			o.ID, o.By, o.Reason = 9, "ada", "asked for by ada"
			return goingThrough(o)
		},
		"refusing": refusing,
		"stopped":  stoppedPool,
		"unready":  func() *engined { e := native(); e.ready = unreadyPool(); return e },
		"unknown":  func() *engined { e := native(); e.ready = nil; return e },
		"outdated": func() *engined { e := native(); e.ready.At = e.ready.At.Add(-time.Minute); return e },
		"sound": func() *engined {
			e := native()
			e.found.Findings = e.found.Findings[3:5]
			return e
		},
		"two-engines": func() *engined {
			e := native()
			before := e.spoil
			e.spoil = func(v *mpp.View) {
				before(v)
				second := v.Pools[0]
				second.Name, second.Readiness = "orders", unreadyPool()
				v.Pools = append(v.Pools, second)
			}
			other := failedOver()
			other.Pool, other.Began = "orders", other.Began.Add(-time.Hour)
			e.kept = append(e.kept, other)
			return e
		},
	}
}
