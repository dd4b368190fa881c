package sim

import (
	"fmt"
	"time"

	"mpp"
	"mpp/gtid"
	"mpp/plan"
)

// holdReport holds the claims of a report against what is so.
func (d *drill) holdReport(op *mpp.Operation) error {
	if d.watched.outcomes == nil {
		d.watched.outcomes = map[uint64]mpp.Outcome{}
	}
	d.watched.outcomes[op.ID] = op.Outcome
	d.report.count(op)
	if op.Outcome == "" || op.Why == "" || op.Ended.IsZero() {
		return fmt.Errorf("invariant 7: a report without its end: %+v", op)
	}
	if op.Kind != mpp.OpFailover && op.Kind != mpp.OpSwitchover {
		return nil
	}
	i := d.indexOf(op.New)
	if !plan.Opened(op) || i < 0 {
		if op.Lost != "" || op.LostCount != 0 || op.NothingLost != "" {
			return fmt.Errorf("invariant 7: nothing was promoted, and the report tells of a loss or of none: %q %q: %s", op.Lost, op.NothingLost, op.Why)
		}
		return nil
	}
	return d.holdClaims(op, d.servers[i])
}

// holdClaims holds what a report says of losses.
func (d *drill) holdClaims(op *mpp.Operation, s *server) error {
	missing := uint64(0)
	for tx := range d.writes {
		if s.has.has(tx) {
			continue
		}
		missing++
		old := d.indexOf(op.Old) // what others had was lost before, or came after they were out
		if op.NothingLost != "" && d.writes[tx].acked && old >= 0 && d.servers[old].has.has(tx) && !d.writes[tx].ackedAt.After(promotedAt(op)) {
			return fmt.Errorf("invariant 7: the report says that nothing is lost (%s), and transaction %d of %s is: %s",
				op.NothingLost, d.writes[tx].number, d.servers[d.writes[tx].by].address, d.state())
		}
	}
	if err := d.holdKnown(op, s); err != nil {
		return err
	}
	if op.NothingLost != "" && op.Lost != "" {
		return fmt.Errorf("invariant 7: the report says that nothing is lost, and that %s is", op.Lost)
	}
	if op.LostCount > missing {
		return fmt.Errorf("invariant 7: the report says that %d are lost (%s), and %d are", op.LostCount, op.Lost, missing)
	}
	if op.Lost == "" {
		return nil
	}
	return d.holdLost(op, s)
}

// holdKnown holds that an automatic failover loses nothing that was acknowledged and known, where no
// loss is allowed.
func (d *drill) holdKnown(op *mpp.Operation, s *server) error {
	f := &d.policy.Failover
	if op.Kind != mpp.OpFailover || op.By != "" || f.AnyLoss || f.MaxLoss > 0 || op.Known == "" || d.report.Reloads > 0 {
		return nil
	}
	flavour := "mysql"
	if d.mariadb {
		flavour = "mariadb"
	}
	known, err := gtid.Parse(flavour, op.Known)
	if err != nil {
		return fmt.Errorf("read what the old node was known to have: %w", err)
	}
	old := d.indexOf(op.Old)
	for tx := range d.writes {
		w := &d.writes[tx]
		if !w.acked || s.has.has(tx) || old < 0 || !d.servers[old].has.has(tx) || w.ackedAt.After(op.Began) {
			continue
		}
		text := fmt.Sprintf("%s:%d", uuid(w.by), w.number)
		if d.mariadb {
			text = d.gtid(tx)
		}
		if one, err := gtid.Parse(flavour, text); err == nil && known.Contains(one) {
			return fmt.Errorf("max_loss is 0, and %s, which was acknowledged and known, is not on %s: %s", text, s.address, d.state())
		}
	}
	return nil
}

// promotedAt is when the new node was opened: what an old one that is back writes after that is no loss
// of the failover, but extra.
func promotedAt(op *mpp.Operation) time.Time {
	for i := range op.Steps {
		if st := &op.Steps[i]; st.Kind == mpp.StepPromote && st.Node == op.New && st.Status == mpp.StepDone {
			return st.Began
		}
	}
	return op.Ended
}

// holdLost says whether anything that is told to be lost is there.
func (d *drill) holdLost(op *mpp.Operation, s *server) error {
	flavour := "mysql"
	if d.mariadb {
		flavour = "mariadb"
	}
	lost, err := gtid.Parse(flavour, op.Lost)
	if err != nil {
		return fmt.Errorf("invariant 7: the report's loss cannot be read: %w", err)
	}
	if lost.Count() != op.LostCount {
		return fmt.Errorf("invariant 7: %s are %d transactions, and the report says %d", op.Lost, lost.Count(), op.LostCount)
	}
	for _, tx := range s.log {
		if d.mariadb {
			continue // numbers do not tell who wrote what
		}
		one, err := gtid.Parse(flavour, fmt.Sprintf("%s:%d", uuid(d.writes[tx].by), d.writes[tx].number))
		if err != nil {
			return fmt.Errorf("spell a transaction: %w", err)
		}
		if lost.Contains(one) {
			return fmt.Errorf("invariant 7: the report says that %s is lost, and the new writer has it", one)
		}
	}
	return nil
}
