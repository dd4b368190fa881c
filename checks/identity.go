package checks

import (
	"fmt"

	"mpp"
)

// judgeIdentity compares who answers with who answered at first: behind an address that moves,
// or after a mix-up of hosts, it may be another server with other data.
func (p *Prober) judgeIdentity(r result) mpp.CheckResult {
	now := p.round.server
	if r.err != nil {
		f := ofError(r.err)
		f.status = min(f.status, mpp.Critical) // the query check says whether the server serves
		f.message = "cannot read who answers: " + f.message
		return f.result(nameIdentity, mpp.Reach, r.took)
	}
	if p.first.ID == 0 {
		p.first = now
	}
	c := mpp.CheckResult{Name: nameIdentity, Class: mpp.Reach, Took: r.took}
	if change := identityChange(&p.first, &now); change != "" {
		c.Status, c.Kind = mpp.Warn, mpp.KindIdentity
		c.Message = "another server answers than at first: " + change
	}
	return c
}

// identityChange says what tells two servers apart, "" for nothing. A uuid outweighs the id,
// which can be set while a server runs.
func identityChange(a, b *mpp.Server) string {
	switch {
	case a.UUID != b.UUID:
		return fmt.Sprintf("server_uuid %s, was %s", orNone(b.UUID), orNone(a.UUID))
	case a.ID != b.ID:
		return fmt.Sprintf("server_id %d, was %d", b.ID, a.ID)
	default:
		return ""
	}
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}
