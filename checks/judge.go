package checks

import (
	"time"

	"mpp"
)

// judge turns what the round found into the findings of the checks.
func (p *Prober) judge(ask mpp.Ask, o *mpp.Observation, end time.Time) {
	r := &p.round
	o.Server, o.Channels = r.server, r.channels
	if r.server.ID != 0 && p.o.Engine {
		o.Server.SemiSync, o.Server.Settings = p.engine.semi, p.engine.settings
		o.Server.Managed, o.Server.ManagedBy = p.manager.managed, p.manager.other
	}
	add := func(c mpp.CheckResult) { o.Checks = append(o.Checks, c) }
	if r.held {
		add(p.heldBack())
		return
	}
	if p.o.Identity {
		if found, ok := r.of(stepServer); ok {
			add(p.judgeIdentity(found))
		}
	}
	if p.o.Privilege && p.rights.Name != "" && (p.lasting != nil || !p.rights.At.Before(o.At)) {
		add(p.rights)
	}
	if found, ok := r.of(stepQuery); ok && p.o.Query {
		add(judgeQuery(found))
	}
	if p.o.Cluster {
		p.addCluster(r, add)
	}
	if found, ok := r.of(stepStatus); ok {
		if p.o.Replication {
			f := p.judgeReplication(ask, o, found, end)
			class := mpp.Replica
			if f.kind == mpp.KindSourceUnreachable {
				// Never a failure, and no word about the copy: it must not make the node
				// unfit to be promoted (see mpp.Observation.Unfit), for when the source
				// dies its replicas are what is left.
				class = mpp.Reach
			}
			add(f.result(nameReplication, class, found.took))
		}
		if p.o.Lag {
			add(p.judgeLag(ask, o, found).result(nameLag, mpp.Replica, found.took))
		}
	}
	if ask.Active && p.o.Write {
		if c, ok := p.awaitWrite(o.At, end); ok {
			add(c)
		}
	}
	if c, ok := p.judgeCommit(ask, o.At); ok {
		add(c)
	}
	p.addCustom(r, add)
}

// of returns what became of the step of a kind; ok is false if it was not asked.
func (r *round) of(kind stepKind) (result, bool) {
	for i := range r.steps {
		if r.steps[i].kind == kind {
			return r.results[i], r.results[i].asked
		}
	}
	return result{}, false
}
