package cli

import (
	"fmt"
	"slices"
	"strings"

	"mpp"
)

// engineWords adds to a pool's line who holds its virtual address, and whether it is ready to
// fail over.
func (s *statusCommand) engineWords(r reading, p *mpp.PoolView, message *cell) {
	d := s.drawing(&mpp.View{Pools: []mpp.PoolView{*p}}, s.wide)
	held, well := holders(d, p)
	ready := r.readyWord(p)
	message.text = joined("; ", message.text, held, "failover "+ready.text)
	if message.style != plain {
		return
	}
	if !well {
		message.style = bad
	} else if !r.ready(p) {
		message.style = caution
	}
}

// holders says where a pool's virtual address is, and whether it is where it belongs: on the
// ACTIVE node and nowhere else.
func holders(d drawing, p *mpp.PoolView) (text string, well bool) {
	if len(p.Addresses) == 0 {
		return "", true
	}
	var on, partly, unknown []string
	for i := range p.Nodes {
		n := &p.Nodes[i]
		name := d.short(n.Address)
		switch a := n.VirtualAddress; {
		case a == nil || !a.Known:
			unknown = append(unknown, name)
		case a.Holds:
			on = append(on, name)
		case a.Some:
			partly = append(partly, name)
		}
	}
	text = strings.Join(p.Addresses, " and ")
	well = len(on) == 1 && len(partly) == 0 && on[0] == d.short(p.Active)
	switch {
	case len(on)+len(partly) == 0 && len(unknown) > 0:
		return text + " not seen; not known of " + strings.Join(unknown, ", "), false
	case len(on)+len(partly) == 0:
		return text + " ON NO NODE", false
	case len(on)+len(partly) > 1:
		return text + " ON SEVERAL: " + strings.Join(append(on, partly...), ", "), false
	case len(partly) == 1:
		return text + " ONLY IN PART on " + partly[0], false
	case !well:
		return text + " ON " + on[0] + ", which is not ACTIVE", false
	default:
		return text + " on " + on[0], true
	}
}

// drawOperations adds a line for each operation under way.
func (s *statusCommand) drawOperations(t *table, r reading, p *mpp.PoolView) {
	for _, o := range append([]*mpp.Operation{p.Operation}, p.Repairs...) {
		if o == nil || !o.Ended.IsZero() {
			continue
		}
		d := s.drawing(&mpp.View{Pools: []mpp.PoolView{*p}}, s.wide)
		t.add(cell{text: "  " + string(o.Kind), style: note}, cell{text: fmt.Sprint(o.ID)}, cell{}, cell{text: ago(r.now, o.Began)},
			cell{}, cell{text: "under way", style: note}, cell{text: joined("; ", d.route(o, d.short), doing(d, o))})
	}
}

// doing says what an operation does right now.
func doing(d drawing, o *mpp.Operation) string {
	var steps []string
	for i := range o.Steps {
		if st := &o.Steps[i]; st.Status == mpp.StepRunning {
			steps = append(steps, joined(" ", d.stepWords(st), d.short(st.Node)))
		}
	}
	slices.Sort(steps)
	return joined(": ", o.Phase, strings.Join(steps, ", "))
}
