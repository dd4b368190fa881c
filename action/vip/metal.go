package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mpp"
)

const (
	// askWait is how long the answer to a probe is waited for. On a network in one place it
	// comes in less than a millisecond.
	askWait = 200 * time.Millisecond
	// rounds is how often a host is changed and looked at again before giving up: one for what
	// is usual, one for what was found instead, one in case somebody else moves, too.
	rounds = 3
	// ethernet is the length of its hardware addresses.
	ethernet = 6
)

var (
	errNoHost  = errors.New("nothing says how to reach its host")
	errNotHere = errors.New("its host does not have it")
)

// metal is the way of kind Metal.
type metal struct {
	network network
	wanted  []netip.Prefix
}

// add changes and looks until all is right and has been announced. A host that was seen before is
// not looked at first.
func (w metal) add(ctx context.Context, p *place) error {
	if w.network == nil {
		return errNoHost
	}
	p.m.othersKeepQuiet(p)
	todo, mac := optimistic(false, w.wanted, p.Interface), p.hardware()
	if mac == nil {
		s, l, err := w.see(ctx, p)
		if err != nil {
			return err
		}
		todo, mac = s.toAdd(w.wanted, p.Interface), l.mac
	}
	var last outcome
	for range rounds {
		var err error
		if last, err = w.network.change(ctx, todo, p.Interface, w.frames(mac, w.wanted)); err != nil {
			return err
		}
		l, err := p.seen(&last.state)
		if err != nil {
			return err
		}
		todo = last.state.toAdd(w.wanted, p.Interface)
		if len(todo) == 0 && last.failed == "" && bytes.Equal(mac, l.mac) {
			return w.added(p, l, last.unsent)
		}
		mac = l.mac
	}
	return w.notDone(last, "it is not there as it should be")
}

// added ends an add: the addresses are there.
func (w metal) added(p *place, l link, unsent string) error {
	if !l.up {
		return fmt.Errorf("it is there, but interface %s is down", l.name)
	}
	if unsent != "" {
		p.m.o.Log(p.node, "the virtual address is there but could not be announced, so that neighbours find it late: "+unsent)
	}
	p.announceOn(w)
	return nil
}

func (w metal) remove(ctx context.Context, p *place) error {
	if w.network == nil {
		return errNoHost
	}
	p.keepQuiet()
	// What is usual is tried at once; whether it was right is seen afterwards.
	todo := resetting(optimistic(true, w.wanted, p.Interface))
	if _, ok := w.network.(local); ok {
		todo = nil // looking costs nothing
	}
	var last outcome
	for range rounds {
		var err error
		if last, err = w.network.change(ctx, todo, "", nil); err != nil {
			return err
		}
		_, _ = p.seen(&last.state) // without the interface there is no address
		if todo = resetting(last.state.toRemove(w.wanted)); len(todo) == 0 {
			return nil
		}
	}
	return w.notDone(last, "it is still there")
}

// notDone says why a goal was not reached.
func (metal) notDone(last outcome, text string) error {
	if last.failed != "" {
		return errors.New(last.failed)
	}
	return fmt.Errorf("%s after %d tries: does something else move it?", text, rounds)
}

func (w metal) announce(ctx context.Context, p *place) error {
	if w.network == nil {
		return errNoHost
	}
	if err := w.repeat(ctx, p); err != nil {
		return err
	}
	p.announceOn(w)
	return nil
}

// repeat announces what the host has of the addresses, and nothing that it does not have.
func (w metal) repeat(ctx context.Context, p *place) error {
	s, l, err := w.see(ctx, p)
	if err != nil {
		return err
	}
	var here []netip.Prefix
	for _, a := range w.wanted {
		if slices.ContainsFunc(s.held, func(h held) bool { return h.link == p.Interface && h.prefix.Addr() == a.Addr() }) {
			here = append(here, a)
		}
	}
	if len(here) == 0 {
		return errNotHere
	}
	o, err := w.network.change(ctx, nil, p.Interface, w.frames(l.mac, here))
	switch {
	case err != nil:
		return err
	case o.unsent != "":
		return errors.New(o.unsent)
	}
	return nil
}

// see looks at the host, and at the interface there.
func (w metal) see(ctx context.Context, p *place) (state, link, error) {
	s, err := w.network.look(ctx)
	if err != nil {
		return s, link{}, err
	}
	l, err := p.seen(&s)
	return s, l, err
}

// frames are the announcements from an interface; only Ethernet has any.
func (metal) frames(mac net.HardwareAddr, wanted []netip.Prefix) [][]byte {
	var all [][]byte
	if len(mac) != ethernet {
		return nil
	}
	for _, a := range wanted {
		all = append(all, announcements(mac, a.Addr())...)
	}
	return all
}

func (w metal) status(ctx context.Context, p *place, r *mpp.AddressReport) error {
	if w.network == nil {
		return errNoHost
	}
	s, err := w.network.look(ctx)
	if err != nil {
		return err
	}
	r.Known = true
	all := s.has(w.wanted)
	r.Some = len(all) > 0
	r.Holds = true
	for _, a := range w.wanted {
		r.Holds = r.Holds && slices.ContainsFunc(all, func(h held) bool {
			return h.prefix.Addr() == a.Addr() && h.link == p.Interface && !h.unsure
		})
	}
	r.Message = w.remarks(&s, p, all)
	if l, err := p.seen(&s); err != nil {
		r.Cannot = err.Error()
	} else if !l.up {
		r.Cannot = "interface " + l.name + " is down"
	}
	return nil
}

// remarks says what is odd about what a look found, empty when nothing is.
func (w metal) remarks(s *state, p *place, all []held) string {
	var odd []string
	for _, h := range all {
		if !slices.ContainsFunc(w.wanted, func(a netip.Prefix) bool { return right(h, a, p.Interface) }) {
			odd = append(odd, fmt.Sprintf("%s on %s is not as MPP puts it", h.prefix, h.link))
		}
	}
	switch l, err := p.seen(s); {
	case err != nil:
		odd = append(odd, err.Error())
	case !l.up:
		odd = append(odd, "interface "+l.name+" is down")
	}
	return strings.Join(odd, "; ")
}

func (w metal) probe(ctx context.Context, p *place) (string, error) {
	if w.network == nil {
		return "", errNoHost
	}
	s, l, err := w.see(ctx, p)
	if err != nil {
		return "", err
	}
	if len(l.mac) != ethernet {
		return "", fmt.Errorf("interface %s is not Ethernet", l.name)
	}
	type reply struct {
		mac string
		err error
	}
	replies := make(chan reply, len(w.wanted))
	for _, a := range w.wanted {
		go func() {
			frame, err := w.network.ask(ctx, l, a.Addr(), s.hardware())
			if err != nil || frame == nil {
				replies <- reply{err: err}
				return
			}
			replies <- reply{mac: speaker(frame).String()}
		}()
	}
	var failed error
	for range w.wanted {
		switch r := <-replies; {
		case r.mac != "":
			return r.mac, nil
		case r.err != nil:
			failed = r.err
		}
	}
	return "", failed
}

// hardware lists the hardware addresses of a host: a bridge answers for its own host, too.
func (s *state) hardware() []net.HardwareAddr {
	var all []net.HardwareAddr
	for _, l := range s.links {
		all = append(all, l.mac)
	}
	return all
}

func (w metal) check(ctx context.Context, p *place) (facts, problems []string) {
	if w.network == nil {
		return nil, []string{errNoHost.Error()}
	}
	s, l, err := w.see(ctx, p)
	if err != nil {
		return nil, []string{err.Error()}
	}
	if l.up {
		facts = append(facts, fmt.Sprintf("interface %s is up, %s", l.name, l.mac))
	} else {
		problems = append(problems, fmt.Sprintf("interface %s is down", l.name))
	}
	if len(l.mac) != ethernet {
		problems = append(problems, fmt.Sprintf("interface %s is not Ethernet: nothing can be announced", l.name))
	}
	how, why := w.announcer(&s)
	if how != "" {
		facts = append(facts, "announced by "+how)
	}
	if why != "" {
		problems = append(problems, "cannot announce "+why+"; neighbours would find a moved address half a minute late")
	}
	return facts, append(problems, w.network.try(ctx, p.Interface, w.wanted)...)
}

// announcer says what announces on a host, and what cannot be announced.
func (w metal) announcer(s *state) (how, why string) {
	for _, p := range []string{"MPP", "perl", "python3"} {
		if slices.Contains(s.announcers, p) {
			return p, ""
		}
	}
	var tools, not []string
	for _, a := range w.wanted {
		tool := "arping"
		if a.Addr().Is6() {
			tool = "ndsend"
		}
		if slices.Contains(s.announcers, tool) {
			tools = append(tools, tool)
		} else {
			not = append(not, a.Addr().String())
		}
	}
	slices.Sort(tools)
	if len(not) > 0 {
		why = strings.Join(not, " and ") + ": " + noAnnouncer
	}
	return strings.Join(slices.Compact(tools), " and "), why
}

func (w metal) statements(p *place, add bool) []string {
	var all []string
	for _, c := range optimistic(!add, w.wanted, p.Interface) {
		all = append(all, c.command())
	}
	if add {
		for _, a := range w.wanted {
			what := "gratuitous ARP"
			if a.Addr().Is6() {
				what = "unsolicited neighbour advertisement"
			}
			all = append(all, fmt.Sprintf("%s for %s from %s", what, a.Addr(), p.Interface))
		}
	}
	return all
}
