package perform

import (
	"context"
	"fmt"
	"io"
	"slices"
	"time"

	"mpp"
	"mpp/mha/hook"
)

// System is the outside world of a call.
type System struct {
	// Out gets the lines.
	Out io.Writer
	// Program is what is started again to follow a switch; empty for nothing.
	Program []string
}

// call is one call under way.
type call struct {
	*company
	sys   System
	args  []string
	state state
}

// Run is one call by MHA; it returns the exit code.
func Run(ctx context.Context, sys System, p hook.Program, args []string) int {
	log := &journal{w: sys.Out, name: string(p)}
	r, err := hook.Parse(p, args)
	log.name += " " + string(r.Phase)
	for _, note := range r.Notes {
		log.say(info, "%s", note)
	}
	if err != nil {
		log.say(failed, "%v", err)
		return hook.ExitFailed
	}
	c, err := begin(ctx, sys, &r, log)
	if err != nil {
		log.say(failed, "%v", err)
		return hook.ExitFailed
	}
	c.args = args
	defer func() { _ = c.close() }()
	v := c.run(ctx)
	level := info
	switch v.Exit {
	case hook.ExitProceed:
		level = warning
	case hook.ExitFailed:
		level = failed
	}
	log.say(level, "exit code %d: %s", v.Exit, v.Text)
	return v.Exit
}

// begin finds out who takes part.
func begin(ctx context.Context, sys System, r *hook.Request, log *journal) (*call, error) {
	if _, err := undoAfter(&r.Options); err != nil {
		return nil, err
	}
	cast, err := castOf(ctx, r)
	if err != nil {
		return nil, err
	}
	for _, note := range cast.notes {
		log.say(info, "%s", note)
	}
	cast.setup.Gone = r.Program == hook.Failover && r.Phase == hook.Start && gone(r)
	m, err := hire(cast, r, log)
	if err != nil {
		return nil, err
	}
	return &call{company: m, sys: sys, state: stateOf(r)}, nil
}

// run is the phase.
func (c *call) run(ctx context.Context) hook.Verdict {
	switch {
	case c.r.Program == hook.Online && c.r.Phase == hook.Stop:
		return c.onlineStop(ctx)
	case c.r.Program == hook.Online && c.r.Phase == hook.Start:
		return c.onlineStart(ctx)
	}
	began := time.Now()
	plan := hook.Decide(c.r, &c.cast.setup)
	c.warm(ctx, &plan)
	results := c.perform(ctx, plan)
	if c.r.Program == hook.Failover && c.r.Phase == hook.Start && holds(results, c.r.New.Address()) {
		c.announce()
	}
	v := hook.Judge(c.r, &c.cast.setup, results)
	if c.r.Phase != hook.Status {
		done := hook.Summary(c.r, v, results)
		done.At, done.Took = began, time.Since(began)
		if err := keep(c.r, done); err != nil {
			c.log.say(warning, "the report will not tell of this: %v", err)
		}
	}
	return v
}

// holds reports whether a node was given the address.
func holds(results []hook.Result, node string) bool {
	return slices.ContainsFunc(results, func(r hook.Result) bool {
		return r.Step.Kind == mpp.StepAddAddress && r.Step.Node == node && r.Done
	})
}

// onlineStop closes the old master, or leaves it as it was.
func (c *call) onlineStop(ctx context.Context) hook.Verdict {
	plan := hook.Decide(c.r, &c.cast.setup)
	var results []hook.Result
	var begun hook.Begun
	held, noted := true, false
	for _, stage := range plan.Stages {
		for i := range stage {
			if hook.Touches(&stage[i]) && stage[i].Node == c.r.Orig.Address() && !slices.Contains(begun, stage[i].Kind) &&
				(held || stage[i].Kind != mpp.StepRemoveAddress) {
				begun = append(begun, stage[i].Kind)
			}
		}
		if len(begun) > 0 {
			noted = c.note(begun, noted)
		}
		now := c.stage(ctx, stage, results)
		held = held && !lost(now)
		results = append(results, now...)
		if hook.Stops(now) {
			return c.giveUp(ctx, results, begun)
		}
	}
	v := hook.Judge(c.r, &c.cast.setup, results)
	if noted && !c.handOver() {
		v = hook.Verdict{Exit: hook.ExitFailed, Text: "it took too long: the switch was taken back meanwhile"}
	}
	return v
}

// lost reports whether it was seen that the old master's host does not have the address, which it is
// not to be given then.
func lost(results []hook.Result) bool {
	return slices.ContainsFunc(results, func(r hook.Result) bool {
		return r.Step.Kind == hook.Look && r.Failed() && !r.Unreachable && !r.Alive
	})
}

// note writes down, before anything is touched, what will have to be taken back, and starts who sees
// to that.
func (c *call) note(begun hook.Begun, again bool) bool {
	err := c.state.change(func(r *record) bool {
		if !again {
			*r = record{}
		}
		r.Progress, r.Orig, r.New, r.Begun, r.Hook, r.At = hook.Stopping, c.r.Orig.Address(), c.r.New.Address(), begun, self(), time.Now()
		return true
	})
	if err == nil && !again {
		err = c.follow()
	}
	if err != nil {
		c.log.say(warning, "nobody will undo this if MHA goes no further: %v", err)
	}
	return err == nil || again
}

// handOver notes that the old master is closed; false when somebody has taken it back.
func (c *call) handOver() bool {
	mine := true
	err := c.state.change(func(r *record) bool {
		if mine = r.Progress != hook.Undone; mine {
			r.Progress, r.At = hook.Stopped, time.Now()
		}
		return mine
	})
	if err != nil {
		c.log.say(warning, "%v", err)
	}
	return mine
}

// giveUp takes a stop back that has failed.
func (c *call) giveUp(ctx context.Context, results []hook.Result, begun hook.Begun) hook.Verdict {
	v := hook.Judge(c.r, &c.cast.setup, results)
	if len(begun) == 0 {
		v.Text += "; nothing was touched"
		return v
	}
	c.log.say(warning, "%s: it is taken back", v.Text)
	v.Exit, v.Text = hook.ExitFailed, v.Text+"; "+c.undo(ctx, begun)
	return v
}

// undo gives the old master back what was begun to be taken from it, whatever has ended ctx, and
// says in words how that went.
func (c *call) undo(ctx context.Context, begun hook.Begun) string {
	if err := c.state.change(func(r *record) bool { r.Progress, r.At = hook.Undone, time.Now(); return true }); err != nil {
		c.log.say(warning, "%v", err)
	}
	results := c.perform(context.WithoutCancel(ctx), hook.Undo(c.r, &c.cast.setup, begun))
	for i := range results {
		if r := &results[i]; r.Failed() && r.Step.Node == c.r.Orig.Address() {
			return fmt.Sprintf("and it could NOT be taken back wholly: %s at %s: %s", r.Step.Kind, r.Step.Node, r.Text)
		}
	}
	return "the old master has its role again"
}

// staleAfter is the age at which the record of a switch says nothing about another one.
const staleAfter = 10 * time.Minute

// onlineStart opens the new master, or gives the role back to the old one.
func (c *call) onlineStart(ctx context.Context) hook.Verdict {
	var before record
	err := c.state.change(func(r *record) bool {
		before = *r
		if time.Since(r.At) > staleAfter && !r.Follower.alive() {
			before = record{}
		}
		if before.Progress == hook.Undone {
			return false
		}
		begun, follower := before.Begun, before.Follower
		*r = record{Progress: hook.Starting, Orig: c.r.Orig.Address(), New: c.r.New.Address(), Begun: begun, Follower: follower, Hook: self(), At: time.Now()}
		return true
	})
	if err != nil {
		c.log.say(warning, "%v", err)
	}
	if before.Progress == hook.Undone { // and MHA has closed the old master once more meanwhile
		return hook.Verdict{Exit: hook.ExitFailed, Text: "MHA took too long after the stop: the switch was undone, and so it is now: " + c.undo(ctx, before.Begun)}
	}
	plan := hook.Decide(c.r, &c.cast.setup)
	c.warm(ctx, &plan)
	results := c.perform(ctx, plan)
	v := hook.Judge(c.r, &c.cast.setup, results)
	if v.Exit == hook.ExitFailed {
		v = c.turnBack(ctx, v, results, c.toTakeBack(before.Begun))
	}
	if v.Exit == hook.ExitFailed {
		return v
	}
	if err := c.state.change(func(r *record) bool { r.Progress, r.At = hook.Started, time.Now(); return true }); err != nil {
		c.log.say(warning, "%v", err)
	}
	if !before.Follower.alive() {
		c.state.forget(before.Follower)
	}
	if holds(results, c.r.New.Address()) {
		c.announce()
	}
	return v
}

// toTakeBack is what a stop has begun, by its record; without one it is what any stop begins.
func (c *call) toTakeBack(begun hook.Begun) hook.Begun {
	if len(begun) > 0 {
		return begun
	}
	begun = hook.Begun{mpp.StepReadOnly}
	if c.cast.setup.Address {
		begun = append(begun, mpp.StepRemoveAddress)
	}
	return begun
}

// turnBack takes a start back that has failed, unless somebody has written to the new master already:
// then that is the writer, whatever else is missing.
func (c *call) turnBack(ctx context.Context, v hook.Verdict, results []hook.Result, begun hook.Begun) hook.Verdict {
	ctx = context.WithoutCancel(ctx)
	if given(results) {
		begun = append(slices.Clone(begun), mpp.StepAddAddress)
		closed := c.perform(ctx, hook.Close(c.r, &c.cast.setup))
		if !hook.Unwritten(positionIn(results), positionIn(closed)) {
			c.perform(ctx, hook.Reopen(c.r, &c.cast.setup))
			return hook.Verdict{Exit: hook.ExitProceed, Text: v.Text + ": it could not be taken back, since the new master may have been written to; MHA goes on, and the address is to be put on by hand"}
		}
	}
	v.Text += "; " + c.undo(ctx, begun)
	return v
}

// given reports whether it was tried to give the address away: only then can anybody have come to the
// new master by it.
func given(results []hook.Result) bool {
	return slices.ContainsFunc(results, func(r hook.Result) bool { return r.Step.Kind == mpp.StepAddAddress && !r.Skipped })
}

// positionIn is the position that a plan has found last, nil for none.
func positionIn(results []hook.Result) *mpp.Position {
	for i := len(results) - 1; i >= 0; i-- {
		if results[i].Position != nil {
			return results[i].Position
		}
	}
	return nil
}
