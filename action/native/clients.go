package native

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"mpp/replication"
)

// clients lists the sessions of applications and people: all but those of replication, of the
// server itself and of MPP.
func (t *task) clients(ctx context.Context, s *session) ([]replication.Process, error) {
	list, err := s.processes(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(list, func(p replication.Process) bool {
		return p.Replicates() || t.r.o.owns(p.User) || p.User == "unauthenticated user"
	}), nil
}

// person says whose session it is.
func person(p *replication.Process) string {
	text := fmt.Sprintf("%s@%s (session %d", p.User, p.Host, p.ID)
	if p.Verb != "" {
		text += ", " + p.Verb
	}
	if p.Time >= time.Second {
		text += fmt.Sprintf(" for %s", p.Time)
	}
	return text + ")"
}

// maxNamed bounds how many sessions are named.
const maxNamed = 3

// some names a few of the sessions.
func some(m map[uint64]string) string {
	var names []string
	for _, id := range slices.Sorted(maps.Keys(m)) {
		if len(names) == maxNamed {
			names = append(names, "...")
			break
		}
		names = append(names, m[id])
	}
	return strings.Join(names, ", ")
}

// rounds is how often the sessions are ended at least before those that came meanwhile are left
// to read_only.
const rounds = 3

// endSessions is the step end-sessions.
func endSessions(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	e := ending{t: t, s: s, ended: map[uint64]bool{}, may: map[uint64]string{}}
	text, err := e.run(ctx)
	return outcome{text: text}, err
}

// ending is the ending of all sessions.
type ending struct {
	t     *task
	s     *session
	ended map[uint64]bool
	may   map[uint64]string // those that may not be ended
	first uint64            // the highest id at the first look
}

// run ends sessions until there are none. Clients that connect again at once would keep it busy
// for ever: those are ended a few times, and then left.
func (e *ending) run(ctx context.Context) (string, error) {
	for round := 0; ; round++ {
		list, err := e.t.clients(ctx, e.s)
		if err != nil {
			return "", err
		}
		old, err := e.end(ctx, list, round)
		if err != nil {
			return "", err
		}
		left := len(list) - len(e.may)
		if left <= 0 || old == 0 && round >= rounds {
			return e.text(left), nil
		}
		if !pause(ctx, min(time.Duration(round+1)*time.Millisecond, lookEvery)) {
			return "", fmt.Errorf("%w; %d sessions are left, such as %s", ended(ctx), left, person(&list[0]))
		}
	}
}

// end ends the sessions of a list, and says how many of them were there from the beginning.
func (e *ending) end(ctx context.Context, list []replication.Process, round int) (old int, err error) {
	clear(e.may)
	for i := range list {
		p := &list[i]
		if round == 0 {
			e.first = max(e.first, p.ID)
		}
		if !p.Dying() {
			err := e.s.exec(ctx, replication.EndSQL(p.ID))
			switch {
			case err == nil:
				e.ended[p.ID] = true
			case number(err) == errNoThread:
			case answered(err):
				e.may[p.ID] = person(p)
				continue
			default:
				return 0, err
			}
		}
		if p.ID <= e.first {
			old++
		}
	}
	return old, nil
}

func (e *ending) text(left int) string {
	text := fmt.Sprintf("ended %d sessions", len(e.ended))
	switch len(e.ended) {
	case 0:
		text = "there were no sessions"
	case 1:
		text = "ended 1 session"
	}
	if left > 0 {
		text += "; clients keep connecting"
	}
	if len(e.may) > 0 {
		text += fmt.Sprintf("; %d may not be ended (their accounts have SYSTEM_USER): %s", len(e.may), some(e.may))
	}
	return text
}
