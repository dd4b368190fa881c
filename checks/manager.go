package checks

import (
	"fmt"
	"slices"
	"time"

	"mpp/replication"
)

// managerState is what is known of who manages the server.
type managerState struct {
	// managed says that this Prober's lasting session holds the lock; other names the session of
	// somebody else that does, by its id, "" for none.
	managed bool
	other   string
	holder  int64
	// sessions have held it for this Prober, newest last: the server may not know yet that one is dead.
	sessions []heldBy
}

// heldBy is a session of a server that was started at a time.
type heldBy struct {
	session int64
	started time.Time
}

// keptSessions bounds how many earlier sessions are remembered.
const keptSessions = 8

// readManager finds out who manages the server, and takes that upon itself where nobody does.
func (p *Prober) readManager(r *round) {
	m := &p.manager
	found, asked := r.of(stepManager)
	if !asked || found.err != nil || p.lasting == nil {
		m.managed, m.other, m.holder = false, "", 0
		return
	}
	self := heldBy{r.self, r.server.StartedAt}
	switch r.holder {
	case self.session:
		m.managed, m.other, m.holder = true, "", r.holder
		return
	case 0:
		m.managed, m.other, m.holder = p.takeManager(r), "", 0
		if m.managed && !slices.ContainsFunc(m.sessions, self.same) {
			m.sessions = append(m.sessions, self)
			m.sessions = m.sessions[max(0, len(m.sessions)-keptSessions):]
		}
		return
	}
	m.managed = false
	held := heldBy{r.holder, r.server.StartedAt}
	if slices.ContainsFunc(m.sessions, held.same) {
		m.other, m.holder = "", 0
		return
	}
	switch {
	case m.holder != r.holder:
		// Named when it is there at the next poll, too: a session of our own that has just ended, or of
		// the process before this one, is gone by then.
		m.holder, m.other = r.holder, ""
	case m.other == "":
		m.other = p.nameSession(r, r.holder)
	}
}

// same reports whether two are the same session: started is known to the second only.
func (h heldBy) same(other heldBy) bool {
	return h.session == other.session && h.started.Sub(other.started).Abs() <= startSlack
}

func (p *Prober) takeManager(r *round) (taken bool) {
	err := p.askBeside(r, replication.TakeManagerSQL, func(rows rowsOf) (err error) {
		taken, err = replication.ReadTaken(rows)
		return err
	})
	return err == nil && taken
}

// nameSession says where a session came from, as far as the account may know.
func (p *Prober) nameSession(r *round, id int64) string {
	var host string
	err := p.askBeside(r, replication.SessionHostSQL(id), func(rows rowsOf) (err error) {
		host, err = replication.ReadSessionHost(rows)
		return err
	})
	if err != nil || host == "" {
		return fmt.Sprintf("session %d", id)
	}
	return host
}
