package state

import (
	"context"
	"fmt"

	"github.com/looplab/fsm"

	"mpp"
)

// Event is what moves a node from one state to another.
type Event string

// The events of the state machine.
const (
	// Admit: a first good poll makes an UNKNOWN node STANDBY.
	Admit Event = "admit"
	// Promote makes a STANDBY node ACTIVE.
	Promote Event = "promote"
	// Demote makes an ACTIVE node STANDBY.
	Demote Event = "demote"
	// Fail takes a node out.
	Fail Event = "fail"
	// Recover takes a FAIL node back to UNKNOWN.
	Recover Event = "recover"
)

// NotAllowedError says that the state machine has no such transition.
type NotAllowedError struct {
	From  mpp.State
	Event Event
}

// Error names the state and the event.
func (e *NotAllowedError) Error() string {
	return fmt.Sprintf("no transition %q from state %s", e.Event, e.From)
}

// table is looplab/fsm used as a checked table: no callbacks, one instance for all nodes,
// set to the node's state before each event.
type table struct{ machine *fsm.FSM }

func newTable() *table {
	return &table{machine: fsm.NewFSM(string(mpp.Unknown), fsm.Events{
		{Name: string(Admit), Src: []string{string(mpp.Unknown)}, Dst: string(mpp.Standby)},
		{Name: string(Promote), Src: []string{string(mpp.Standby)}, Dst: string(mpp.Active)},
		{Name: string(Demote), Src: []string{string(mpp.Active)}, Dst: string(mpp.Standby)},
		{
			Name: string(Fail),
			Src:  []string{string(mpp.Unknown), string(mpp.Standby), string(mpp.Active)},
			Dst:  string(mpp.Failed),
		},
		{Name: string(Recover), Src: []string{string(mpp.Failed)}, Dst: string(mpp.Unknown)},
	}, nil)}
}

// next returns the state that event e leads to from state from. The context is never
// cancelled: looplab/fsm would stay stuck in the transition for good.
func (t *table) next(from mpp.State, e Event) (mpp.State, error) {
	t.machine.SetState(string(from))
	if !t.machine.Can(string(e)) {
		return from, &NotAllowedError{From: from, Event: e}
	}
	if err := t.machine.Event(context.Background(), string(e)); err != nil {
		return from, fmt.Errorf("run event %s from %s: %w", e, from, err)
	}
	return mpp.State(t.machine.Current()), nil
}

func (t *table) mermaid() (string, error) {
	t.machine.SetState(string(mpp.Unknown))
	drawing, err := fsm.VisualizeForMermaidWithGraphType(t.machine, fsm.StateDiagram)
	if err != nil {
		return "", fmt.Errorf("draw state machine: %w", err)
	}
	return drawing, nil
}
