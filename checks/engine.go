package checks

import (
	"time"

	"mpp"
	"mpp/replication"
)

// engineState is what is kept between polls of what only pools with an engine ask.
type engineState struct {
	// semi is the last answer as it was published: what is published is never changed.
	semi *mpp.SemiSync
	// hungAt is when the question for it last got no answer, zero when it did.
	hungAt time.Time
	// sides are what the server said at the settings' last reading: a change of it asks for a new one.
	sides semiSyncSides
	// settings were read at settingsAt, nil while they are not known. settingsBroke says that
	// asking for them broke the connection: that is not tried in every poll.
	settings      *mpp.Settings
	settingsAt    time.Time
	settingsBroke bool
	commit        commitWatch
}

// settingsRetry is the pause after a try to read the settings that failed, while none are known.
const settingsRetry = 5 * time.Second

// semiSyncSides is what changes when somebody changes the settings of semi-sync, or loads or
// unloads a plugin of MySQL.
type semiSyncSides struct {
	hasSource, hasReplica, source, replica bool
}

// asksSemiSync reports whether a poll asks how semi-sync is. Where that hung it is left alone for a
// while: a server that hangs there and nowhere else must not be left with more and more sessions.
func (p *Prober) asksSemiSync(now time.Time) bool {
	e := &p.engine
	if !e.hungAt.IsZero() && now.Sub(e.hungAt) >= p.o.PrivilegeInterval {
		e.hungAt = time.Time{}
	}
	return p.o.Engine && e.hungAt.IsZero()
}

// readEngine reads the settings if that is due, and makes what is published of semi-sync.
func (p *Prober) readEngine(r *round, now time.Time) {
	e := &p.engine
	if !p.o.Engine {
		return
	}
	if p.lasting != nil {
		p.readSettings(r, now)
	}
	found, asked := r.of(stepSemiSync)
	if !asked || found.err != nil {
		e.semi = nil
		return
	}
	s := r.semi.SemiSync
	s.TimedOut = !s.Source && e.settings != nil && e.settings.SemiSyncSource
	if e.semi == nil || *e.semi != s {
		e.semi = &s
	}
}

// readSettings reads the settings when the connection is new, after PrivilegeInterval, and when
// semi-sync turned out to be another than at the last reading.
func (p *Prober) readSettings(r *round, now time.Time) {
	e := &p.engine
	sides := semiSyncSides{r.semi.HasSource, r.semi.HasReplica, r.semi.Source, r.semi.Replica}
	isNew := p.lasting.opened.After(e.settingsAt)
	wait := p.o.PrivilegeInterval
	if e.settings == nil {
		wait = min(wait, settingsRetry) // a failover needs to know where the binary log is
	}
	if fresh := now.Sub(e.settingsAt) < wait; fresh && (e.settingsBroke || (!isNew && sides == e.sides)) {
		return
	}
	dialect := p.lasting.dialect
	begin := time.Now()
	var s mpp.Settings
	err := p.askBeside(r, replication.SettingsSQL, func(rows rowsOf) (err error) {
		s, err = dialect.ReadSettings(rows)
		return err
	})
	e.settingsAt, e.sides, e.settingsBroke = begin, sides, p.lasting == nil
	switch {
	case err == nil && (e.settings == nil || *e.settings != s):
		e.settings = &s
	case err != nil && isNew:
		e.settings = nil // it may be another server
	}
}

// askBeside asks a single statement over the lasting connection, and gives that up when it broke.
func (p *Prober) askBeside(r *round, sql string, read func(rowsOf) error) error {
	s := p.lasting
	begin := time.Now()
	s.until(r.limit(begin, p.o.QueryLimit))
	err := s.ask(sql, read)
	if s.broken(err) {
		if isTimeout(s.wire.cause) {
			err = unanswered{time.Since(begin)}
			p.abandon(s.wire.session, false)
		}
		p.giveUpLasting()
	}
	return err
}
