package replay

import (
	"errors"
	"fmt"
	"io"
	"time"

	"mpp"
	"mpp/journal"
	"mpp/pool"
)

// Lines gives the lines of a recording one after another, and io.EOF at the end.
// journal.Decoder is one.
type Lines interface {
	Next() (journal.Line, error)
}

// Summary says what a replay of a recording met.
type Summary struct {
	// From and To are the times of the first and last input.
	From, To time.Time
	// Inputs, Events and Marks count what was played, what the rules told, and the places
	// where the recording holds what the daemon knew then.
	Inputs, Events, Marks int
	// Compared counts the marks of which at least one pool was compared; only Verify does.
	Compared int
	// Damage repeats what a journal could not give.
	Damage []string
	// Unknown are pools of the recording for which there is no policy; they are left out.
	Unknown map[string]bool
}

// Recording runs what mppd recorded through the rules, under the policies given by pool
// name, and prints every event that they tell as a JSON line. With Verify it prints nothing
// and compares the states with those that the daemon knew at each mark: the first difference
// is an error that wraps ErrDiffers.
func Recording(lines Lines, policies map[string]pool.Policy, o Options) (Summary, error) {
	p := player{policies: policies, options: o, arbiters: map[string]*pool.Arbiter{}, summary: Summary{Unknown: map[string]bool{}}}
	for {
		line, err := lines.Next()
		if errors.Is(err, io.EOF) {
			return p.summary, nil
		}
		if err != nil {
			return p.summary, fmt.Errorf("read %s: %w", o.Name, err)
		}
		if err := p.play(line); err != nil {
			return p.summary, err
		}
	}
}

type player struct {
	policies map[string]pool.Policy
	options  Options
	arbiters map[string]*pool.Arbiter
	// whole says that nothing is missing since the last mark.
	whole   bool
	summary Summary
}

func (p *player) play(line journal.Line) error {
	switch {
	case line.Damage != "":
		p.summary.Damage = append(p.summary.Damage, line.Damage)
		p.arbiters, p.whole = map[string]*pool.Arbiter{}, false // the next mark begins anew
		return nil
	case line.Mark != nil:
		return p.mark(line.Mark)
	case line.Input != nil:
		return p.input(line.Input)
	default:
		return nil
	}
}

// mark begins pools that are not there yet, and compares those that are.
func (p *player) mark(m *journal.Mark) error {
	p.summary.Marks++
	p.whole = true
	compared := false
	for _, memory := range m.Pools {
		policy, known := p.policies[memory.Name]
		if !known {
			p.summary.Unknown[memory.Name] = true
			continue
		}
		a := p.arbiters[memory.Name]
		if a == nil {
			p.arbiters[memory.Name] = pool.New(policy, memory)
			continue
		}
		if !p.options.Verify {
			continue
		}
		if err := p.compare(m.At, a.Memory(), memory); err != nil {
			return err
		}
		compared = true
	}
	if compared {
		p.summary.Compared++
	}
	return nil
}

func (p *player) compare(at time.Time, got, want mpp.PoolMemory) error {
	remembered := make(map[string]mpp.NodeMemory, len(want.Nodes))
	for _, n := range want.Nodes {
		remembered[n.Address] = n
	}
	for _, n := range got.Nodes {
		w, there := remembered[n.Address]
		if there && (w.State != n.State || w.Reason != n.Reason || w.Errors != n.Errors) {
			return fmt.Errorf("%s: pool %s at %s: node %s: %s %s with %d errors, the daemon had %s %s with %d: %w", p.options.Name, want.Name,
				at.Format(time.RFC3339Nano), n.Address, n.State, n.Reason, n.Errors, w.State, w.Reason, w.Errors, ErrDiffers)
		}
	}
	return nil
}

// arbiter returns the arbiter of a pool, nil when there is nothing to play it with. A pool
// that the last mark lacks was added after it: it began with nothing known, as it does here.
func (p *player) arbiter(name string) *pool.Arbiter {
	if a := p.arbiters[name]; a != nil {
		return a
	}
	policy, known := p.policies[name]
	if !known {
		p.summary.Unknown[name] = true
		return nil
	}
	if !p.whole {
		return nil
	}
	a := pool.New(policy, mpp.PoolMemory{})
	p.arbiters[name] = a
	return a
}

func (p *player) input(in *mpp.Input) error {
	a := p.arbiter(in.Pool)
	if a == nil {
		return nil
	}
	if p.summary.Inputs == 0 {
		p.summary.From = in.At
	}
	p.summary.Inputs++
	p.summary.To = in.At
	for _, action := range a.Step(in.At, *in) {
		if action.Kind != mpp.ActionEvent {
			continue
		}
		p.summary.Events++
		if p.options.Verify {
			continue
		}
		if err := p.options.print(action.Event); err != nil {
			return fmt.Errorf("print event: %w", err)
		}
	}
	return nil
}
