// Package answer decides what a load balancer is told about a node, for every way of asking:
// HTTP, agent-check, track files and the state files of mpp-check all go through it.
//
// It is pure: the view and the time are arguments. What a node may be used for was decided
// by the pool; this package only finds the node, applies the age limit (mpp.PoolView.Answer)
// and never fails: what cannot be answered is answered with no, and a reason.
package answer

import (
	"fmt"
	"strings"
	"time"

	"mpp"
	"mpp/publish/address"
)

// State is one word for what a node is, as seen from the role that was asked for. No word is
// part of another, so that a balancer may search an answer for it.
type State string

// The states. Standby means: well, and not for this role.
const (
	Writer  State = "WRITER"
	Reader  State = "READER"
	Standby State = "STANDBY"
	Down    State = "DOWN"
)

// Question is what a balancer asks.
type Question struct {
	Role mpp.Role
	// Node is the address in any form that package address reads.
	Node string
	// Pool restricts the search; empty means all pools.
	Pool string
}

// Reply is what the balancer is told.
type Reply struct {
	Up    bool
	State State
	// Reason is one line, at most MaxReason bytes.
	Reason string
	// Pool and Node are the names in the configuration, empty when none was found.
	Pool, Node string
}

// MaxReason is the length to which reasons are cut, in bytes: every convention can carry it.
const MaxReason = 400

// Roles lists the roles that can be asked for.
func Roles() []mpp.Role { return []mpp.Role{mpp.RoleWriter, mpp.RoleReader, mpp.RoleOK} }

// To answers a question from a view. A nil view is one that holds nothing yet.
func To(q Question, view *mpp.View, now time.Time) Reply {
	if q.Role != mpp.RoleWriter && q.Role != mpp.RoleReader && q.Role != mpp.RoleOK {
		return no(fmt.Sprintf("unknown role %q: use writer, reader or ok", short(string(q.Role))))
	}
	p, n, why := Find(view, q.Pool, q.Node)
	if n == nil {
		return no(why)
	}
	return Of(p, n, q.Role, now)
}

func no(reason string) Reply { return Reply{State: Down, Reason: OneLine(reason)} }

// Of answers a role for a node of a pool.
func Of(p *mpp.PoolView, n *mpp.NodeView, role mpp.Role, now time.Time) Reply {
	up, reason := judge(p, n, role, now)
	r := Reply{Up: up, Reason: OneLine(reason), State: Down, Pool: p.Name, Node: n.Address}
	switch {
	case up && role == mpp.RoleWriter:
		r.State = Writer
	case up && role == mpp.RoleReader:
		r.State = Reader
	case up:
		r.State = what(p, n, now)
	default:
		if alive, _ := judge(p, n, mpp.RoleOK, now); alive {
			r.State = Standby
		}
	}
	return r
}

// what is the state of a node that is well, when nobody asked for a role.
func what(p *mpp.PoolView, n *mpp.NodeView, now time.Time) State {
	if up, _ := judge(p, n, mpp.RoleWriter, now); up {
		return Writer
	}
	if up, _ := judge(p, n, mpp.RoleReader, now); up {
		return Reader
	}
	return Standby
}

// judge is the pool's own answer, except for data from the future: a clock that was set back
// since (only possible for what is remembered of the time before a restart) must not make old
// data fresh.
func judge(p *mpp.PoolView, n *mpp.NodeView, role mpp.Role, now time.Time) (bool, string) {
	a := p.Answer(n, role, now)
	if a.Age < -p.StaleAfter && p.WhenStale != mpp.StaleLastKnown {
		return false, "stale: the last poll lies in the future, the clock was set back"
	}
	return a.Up, a.Reason
}

// Find looks a node up by any form of its address. When there is none, or more than one, the
// node is nil and why says so.
func Find(view *mpp.View, pool, node string) (p *mpp.PoolView, n *mpp.NodeView, why string) {
	if view == nil {
		return nil, nil, "mppd is starting: nothing is known yet"
	}
	asked, valid := address.Parse(node)
	if !valid {
		return nil, nil, fmt.Sprintf("%q is no address: write host, host:port or [ipv6]:port", short(node))
	}
	poolSeen := false
	for i := range view.Pools {
		each := &view.Pools[i]
		if pool != "" && each.Name != pool {
			continue
		}
		poolSeen = true
		for j := range each.Nodes {
			if !asked.Names(each.Nodes[j].Address) {
				continue
			}
			if n != nil {
				return nil, nil, fmt.Sprintf("%s has more than one node (%s, %s): ask with its port", asked.Host, n.Address, each.Nodes[j].Address)
			}
			p, n = each, &each.Nodes[j]
		}
	}
	switch {
	case n != nil:
		return p, n, ""
	case !poolSeen && pool != "":
		return nil, nil, fmt.Sprintf("unknown pool %q", short(pool))
	case pool != "":
		return nil, nil, fmt.Sprintf("unknown node %s in pool %s", asked, pool)
	default:
		return nil, nil, "unknown node " + asked.String()
	}
}

// OneLine makes a text fit for one line of an answer: control characters and invalid bytes
// become spaces, and it is cut to MaxReason bytes at a character's border.
func OneLine(text string) string {
	text = strings.ToValidUTF8(text, "?")
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || (r >= 0x7f && r < 0xa0) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, text))
	if len(text) <= MaxReason {
		return text
	}
	cut := MaxReason - len("...")
	for cut > 0 && text[cut]&0xc0 == 0x80 {
		cut--
	}
	return text[:cut] + "..."
}

// short keeps what a stranger sent from filling an answer.
func short(text string) string {
	if len(text) > 80 {
		return text[:80] + "..."
	}
	return text
}
