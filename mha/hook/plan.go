package hook

import (
	"fmt"
	"strings"
	"time"

	"mpp"
)

// Steps that only look, beside those of package mpp.
const (
	// Look: the host holds the virtual address, and nobody else answers for it.
	Look mpp.StepKind = "look"
	// Place: the address could be put on the host and announced from there.
	Place mpp.StepKind = "place"
	// Probe: nobody answers for the address, seen from the host.
	Probe mpp.StepKind = "probe"
	// EndServer kills the server that is named by a pid file on the host.
	EndServer mpp.StepKind = "end-server"
)

// Setup is what is configured, as far as it decides what is done.
type Setup struct {
	// Address says that there is a virtual address to move.
	Address bool
	// Orig and New say what can be reached of the two servers.
	Orig, New Reach
	// Gone says that the stop of this failover has seen that the old master's host has lost the address,
	// or is off.
	Gone bool
	// Shutdown says that there is a program that turns a host off.
	Shutdown bool
	// FenceRequired lets nothing be promoted unless the old master is known to be fenced.
	FenceRequired bool
	// Events says that EVENTs follow the role; SemiSync that the settings do.
	Events, SemiSync bool
	// StopBy is how new sessions are kept out in a planned switch: "", or a Detail of
	// StepStopConnections.
	StopBy string
	// RefuseLong gives a planned switch up for transactions that outlast Limits.KillAfter.
	RefuseLong bool
	Limits     Limits
}

// Reach says what can be done at a server: by SQL, and on its host.
type Reach struct{ SQL, Host bool }

// Limits bound the steps.
type Limits struct {
	// Fence is for each step at a dead master; half of it for what is silent. Shutdown is for the
	// program that turns it off.
	Fence, Shutdown time.Duration
	// Step is for every other step, Address for those that move the address.
	Step, Address time.Duration
	// KillAfter is how long open transactions get in a planned switch.
	KillAfter time.Duration
}

// Plan is what is done in one phase.
type Plan struct {
	// Stages come one after the other.
	Stages []Stage
	// Rollback says that what was done is taken back when a step fails that must not.
	Rollback bool
}

// Stage is steps that are done at the same time. When one of them that must not fail has failed,
// no further stage is begun.
type Stage []Step

// Step is one step with what its failure means.
type Step struct {
	mpp.Step
	// On says what a failure means. Tries is how often it is tried at most, 0 is once.
	On    Failure
	Tries int
	// Unless names a kind of step: this one is not needed when one of that kind was done before.
	Unless mpp.StepKind
	// After names a kind of step: this one makes no sense unless one of that kind was done before.
	After mpp.StepKind
}

// Failure is what it means that a step fails.
type Failure string

// The failures.
const (
	// Ends: the phase fails, and with it what MHA is at.
	Ends Failure = "ends"
	// Warns: MHA is told to go on, and that something is left to do: exit code 10.
	Warns Failure = "warns"
	// Noted: it is told, and changes nothing.
	Noted Failure = "noted"
	// Fences: the step is one of those that fence; whether all of them together do is judged at the
	// end, see Verdict.
	Fences Failure = "fences"
)

// Decide makes the plan of a phase. old and young are the nodes' addresses.
func Decide(r *Request, s *Setup) Plan {
	d := decider{Setup: s, r: r, old: r.Orig.Address(), young: r.New.Address()}
	switch {
	case r.Phase == Status && r.Program == Shutdown:
		return d.shutdownStatus()
	case r.Phase == Status:
		return d.status()
	case r.Program == Shutdown:
		return d.shutdown()
	case r.Program == Online && r.Phase == Stop:
		return d.onlineStop()
	case r.Program == Online:
		return d.onlineStart()
	case r.Phase == Start:
		return d.failoverStart()
	default:
		return d.failoverStop()
	}
}

type decider struct {
	*Setup
	r          *Request
	old, young string
	plan       Plan
}

// stage adds a stage, unless it is empty.
func (d *decider) stage(steps ...Step) {
	var all Stage
	for _, st := range steps {
		if st.Kind != "" {
			all = append(all, st)
		}
	}
	if len(all) > 0 {
		d.plan.Stages = append(d.plan.Stages, all)
	}
}

// when is a step, or none.
func when(is bool, st Step) Step {
	if is {
		return st
	}
	return Step{}
}

func (d *decider) at(kind mpp.StepKind, node string, on Failure) Step {
	limit, tries := d.Limits.Step, 0
	if kind == mpp.StepAddAddress || kind == mpp.StepWritable {
		tries = giveTries
	}
	switch kind {
	case mpp.StepAddAddress, mpp.StepRemoveAddress, Look, Place, Probe:
		limit = d.Limits.Address
	case mpp.StepShutdown:
		limit = d.Limits.Shutdown
	default:
	}
	return Step{Step: mpp.Step{Kind: kind, Node: node, Limit: limit}, On: on, Tries: tries}
}

// giveTries is how often is tried to give a server writes or the address, without which there is no
// service.
const giveTries = 3

// within is a step with another limit.
func (st Step) within(limit time.Duration) Step {
	st.Limit = limit
	return st
}

// with is a step with a word that says more.
func (st Step) with(detail string) Step {
	st.Detail = detail
	return st
}

func (st Step) unless(kind mpp.StepKind) Step {
	st.Unless = kind
	return st
}

func (st Step) after(kind mpp.StepKind) Step {
	st.After = kind
	return st
}

// status looks whether the address is where it belongs and everything could be done. Only the
// address is worth to keep MHA from starting.
func (d *decider) status() Plan {
	d.stage(
		when(d.Address, d.at(Look, d.old, Ends)),
		when(d.Address, d.at(Place, d.old, Noted)),
		when(d.Orig.SQL, d.at(mpp.StepCheck, d.old, Noted)),
	)
	return d.plan
}

// failoverStop fences the old master: by SQL first, so that its sessions end while their clients
// can still be told; then the address goes. A host that does not answer is turned off where that
// can be done; one that answers keeps running, since MHA reads its binary log next, unless its
// address cannot be taken off.
func (d *decider) failoverStop() Plan {
	quick := d.Limits.Fence / 2
	d.stage(when(d.Orig.SQL, d.at(mpp.StepReadOnly, d.old, Fences).within(quick)))
	d.stage(when(d.Orig.SQL, d.at(mpp.StepEndSessions, d.old, Noted).within(quick).after(mpp.StepReadOnly)))
	remove := when(d.Address, d.at(mpp.StepRemoveAddress, d.old, Fences))
	off := when(d.Shutdown, d.at(mpp.StepShutdown, d.old, Fences))
	if d.r.Phase == Stop {
		d.stage(remove.within(d.Limits.Fence), off)
		return d.plan
	}
	d.stage(remove)
	d.stage(off.unless(mpp.StepRemoveAddress))
	return d.plan
}

// failoverStart opens the new master and gives it the address. MHA opens it, too, a moment later;
// so neither failing stops MHA, which would leave every replica without a source. Unless the stop has
// seen the address go, it is asked for; who answers is most likely the old host, which has come back.
func (d *decider) failoverStart() Plan {
	kept := Warns
	if d.FenceRequired {
		kept = Ends
	}
	ask := d.Address && !d.Gone
	d.stage(
		when(d.New.SQL, d.at(mpp.StepWritable, d.young, Warns)),
		when(ask, d.at(Probe, d.young, Noted)),
	)
	d.stage(when(ask, d.at(mpp.StepRemoveAddress, d.old, kept).within(d.Limits.Fence).unless(Probe)))
	d.stage(when(d.Address, d.at(mpp.StepAddAddress, d.young, Warns)))
	d.stage(d.follow()...)
	return d.plan
}

// follow is what belongs to the role besides.
func (d *decider) follow() []Step {
	return []Step{
		when(d.Events && d.New.SQL, d.at(mpp.StepEventsOn, d.young, Noted)),
		when(d.SemiSync && d.New.SQL, d.at(mpp.StepSemiSync, d.young, Noted).with("source")),
		when(d.SemiSync && d.Orig.SQL && d.r.Program == Online, d.at(mpp.StepSemiSync, d.old, Noted).with("replica")),
	}
}

// onlineStop closes the old master. Everything is tried before anything is touched.
func (d *decider) onlineStop() Plan {
	d.plan.Rollback = true
	d.stage(
		when(d.Orig.SQL, d.at(mpp.StepPosition, d.old, Ends)),
		when(d.New.SQL, d.at(mpp.StepPosition, d.young, Ends)),
		when(d.Orig.SQL, d.at(mpp.StepCheck, d.old, Noted)),
		when(d.New.SQL, d.at(mpp.StepCheck, d.young, Noted)),
		when(d.Address, d.at(Look, d.old, Noted)),
		when(d.Address, d.at(Place, d.old, Ends)),
		when(d.Address, d.at(Place, d.young, Ends)),
	)
	d.stage(when(d.New.SQL, d.at(mpp.StepReadOnly, d.young, Ends)))
	if d.Orig.SQL {
		d.stage(when(d.Events, d.at(mpp.StepEventsOff, d.old, Noted)))
		d.stage(when(d.StopBy != "", d.at(mpp.StepStopConnections, d.old, Ends).with(d.StopBy)))
		long := Noted
		if d.RefuseLong {
			long = Ends
		}
		d.stage(when(d.Limits.KillAfter > 0, d.at(mpp.StepAwaitTransactions, d.old, long).within(d.Limits.KillAfter)))
		d.stage(d.at(mpp.StepReadOnly, d.old, Ends))
		d.stage(d.at(mpp.StepEndSessions, d.old, Ends))
	}
	d.stage(when(d.Address, d.at(mpp.StepRemoveAddress, d.old, Ends)))
	d.stage(when(d.Address && d.Orig.SQL, d.at(mpp.StepEndSessions, d.old, Noted)))
	return d.plan
}

// onlineStart opens the new master and gives it the address, or takes the whole switch back.
func (d *decider) onlineStart() Plan {
	d.plan.Rollback = true
	d.stage(when(d.New.SQL, d.at(mpp.StepPosition, d.young, Ends)))
	d.stage(when(d.New.SQL, d.at(mpp.StepWritable, d.young, Ends)))
	d.stage(when(d.Address, d.at(mpp.StepAddAddress, d.young, Ends)))
	d.stage(append(d.follow(),
		when(d.StopBy != "" && d.Orig.SQL, d.at(mpp.StepAllowConnections, d.old, Noted).with(d.StopBy)))...)
	return d.plan
}

// shutdownStatus looks whether there is anything that could turn the host off.
func (d *decider) shutdownStatus() Plan {
	d.stage(when(d.Shutdown, d.at(mpp.StepShutdown, d.old, Ends).with(CheckOnly)))
	return d.plan
}

// CheckOnly is the Detail of a shutdown that only looks whether the program can be run.
const CheckOnly = "check"

// shutdown turns the host off, or, where there is no program for that and the host answers, kills
// the server.
func (d *decider) shutdown() Plan {
	switch {
	case d.Shutdown:
		d.stage(d.at(mpp.StepShutdown, d.old, Ends))
	case d.r.Phase == StopSSH && d.Orig.Host && d.r.PIDFile != "":
		d.stage(d.at(EndServer, d.old, Ends).with(d.r.PIDFile))
	}
	return d.plan
}

// Limit is the longest that the plan may take, without rolling it back.
func (p *Plan) Limit() time.Duration {
	var all time.Duration
	for _, stage := range p.Stages {
		var longest time.Duration
		for i := range stage {
			longest = max(longest, stage[i].Limit*time.Duration(max(1, stage[i].Tries)))
		}
		all += longest
	}
	return all
}

// String is the plan for people and tests: a line a step, with a number a stage.
func (p *Plan) String() string {
	var b strings.Builder
	for i, stage := range p.Stages {
		for _, st := range stage {
			fmt.Fprintf(&b, "%d %s", i+1, st.Kind)
			if st.Detail != "" {
				fmt.Fprintf(&b, " %s", st.Detail)
			}
			fmt.Fprintf(&b, " %s, within %s, failure %s", st.Node, st.Limit, st.On)
			if st.Unless != "" {
				fmt.Fprintf(&b, ", unless %s", st.Unless)
			}
			if st.After != "" {
				fmt.Fprintf(&b, ", after %s", st.After)
			}
			b.WriteString("\n")
		}
	}
	if p.Rollback {
		b.WriteString("rolled back\n")
	}
	return b.String()
}
