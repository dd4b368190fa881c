package cli

import (
	"fmt"
	"slices"
	"strings"

	"mpp"
)

// draw lays out what status shows.
func (s *statusCommand) draw(r reading, pools []*mpp.PoolView, findings []finding) string {
	p := s.page(s.wide)
	var b strings.Builder
	t := &table{rows: make([][]cell, 0, 16)}
	t.heading("TYPE", "SERVER", "ERRORS", "LAST POLL", "STATUS", "STATE", "MESSAGE")
	for _, pool := range pools {
		s.drawPool(t, r, pool)
	}
	if len(pools) > 0 {
		t.render(&b, p)
		b.WriteByte('\n')
	}
	if len(findings) > 0 {
		drawFindings(&b, p, findings)
		b.WriteByte('\n')
	}
	if !r.view.Ready {
		p.paint(&b, caution, fmt.Sprintf("mppd started %s and has not polled every node yet", ago(r.now, r.view.Started)))
		b.WriteString("\n\n")
	}
	last := good
	if unwell(findings) {
		last = bad
	}
	p.paint(&b, last, verdict(findings, len(pools)))
	b.WriteByte('\n')
	return b.String()
}

func (s *statusCommand) drawPool(t *table, r reading, p *mpp.PoolView) {
	message := cell{text: writers(p), keep: true}
	if !r.hasWriter(p) {
		message.style = loud
		if p.Active != "" {
			message.text += ", DOWN for writers"
		}
	}
	if p.Trouble != "" {
		message.text += "; " + p.Trouble + " trouble"
	}
	if p.Maintenance.InForce(r.now) {
		message.text += "; " + s.maintenanceText(p.Maintenance)
	}
	if withEngine(p) {
		s.engineWords(r, p, &message)
	}
	t.add(cell{text: "POOL", style: bold}, cell{text: p.Name, style: bold}, cell{}, cell{},
		statusCell(p.Status), cell{text: string(p.Logic)}, message)
	s.drawOperations(t, r, p)
	for i := range p.Nodes {
		s.drawNode(t, r, p, &p.Nodes[i])
	}
	for i := range p.Checkpoints {
		c := &p.Checkpoints[i]
		status := statusCell(c.Status)
		if c.LastTry.IsZero() {
			status = cell{text: "-"}
		}
		t.add(cell{text: "  " + string(c.Ring)}, cell{text: c.Name}, cell{}, cell{text: ago(r.now, c.LastTry)},
			status, cell{text: "checkpoint", style: dim}, cell{text: joined(": ", strings.TrimSpace(c.Kind+" "+c.Address), c.Message)})
	}
}

func (s *statusCommand) drawNode(t *table, r reading, p *mpp.PoolView, n *mpp.NodeView) {
	polled := cell{text: ago(r.now, n.LastPoll)}
	if r.stale(p, n) {
		polled = cell{text: "STALE " + polled.text, style: loud}
	}
	var remarks []string
	if n.Maintenance.InForce(r.now) {
		remarks = append(remarks, s.maintenanceText(n.Maintenance))
	}
	if n.NoPromote {
		remarks = append(remarks, "no_promote")
	}
	switch {
	case n.Message != "":
		remarks = append(remarks, n.Message)
	case n.State == mpp.Failed:
		remarks = append(remarks, "last poll was good; FAIL since "+s.moment(n.Since)+": "+n.Evidence)
	}
	t.add(cell{text: "  " + string(n.Type)}, cell{text: serverText(n)}, cell{text: fmt.Sprint(n.Errors), right: true}, polled,
		statusCell(n.Status), cell{text: n.State.Text(n.Reason), style: stateStyle(n)}, cell{text: strings.Join(remarks, "; ")})
}

func drawFindings(b *strings.Builder, p page, findings []finding) {
	worstFirst := slices.Clone(findings)
	slices.SortStableFunc(worstFirst, func(x, y finding) int { return int(y.severity) - int(x.severity) })
	b.WriteString("Problems:\n")
	for _, f := range worstFirst {
		b.WriteString("  ")
		p.paint(b, statusStyle(f.severity), fmt.Sprintf("%-8s", f.severity))
		b.WriteString("  " + clean(joined(": ", f.pool, f.text)))
		p.paint(b, dim, " ["+clean(f.code)+"]")
		b.WriteByte('\n')
	}
}

// joined joins what is not empty.
func joined(by string, parts ...string) string {
	return strings.Join(slices.DeleteFunc(parts, func(s string) bool { return s == "" }), by)
}

// writers says who of a pool takes writes.
func writers(p *mpp.PoolView) string {
	if p.Logic == mpp.LogicCluster {
		active := 0
		for i := range p.Nodes {
			if p.Nodes[i].State == mpp.Active {
				active++
			}
		}
		return fmt.Sprintf("%d of %d ACTIVE", active, len(p.Nodes))
	}
	if p.Active == "" {
		return "no node is ACTIVE"
	}
	return "ACTIVE " + p.Active
}

// serverText is a node's address, with its label when it has one.
func serverText(n *mpp.NodeView) string {
	if label(n) == "" {
		return n.Address
	}
	return n.Address + " (" + n.Name + ")"
}

// label is a node's label, "" when it is only its address again.
func label(n *mpp.NodeView) string {
	if n.Name == n.Address {
		return ""
	}
	return n.Name
}

func stateStyle(n *mpp.NodeView) style {
	switch n.State {
	case mpp.Active:
		return bold
	case mpp.Failed:
		return bad
	case mpp.Unknown:
		return caution
	case mpp.Standby:
		return plain
	default:
		return plain
	}
}

func statusCell(s mpp.Status) cell { return cell{text: s.String(), style: statusStyle(s)} }

func statusStyle(s mpp.Status) style {
	switch s {
	case mpp.OK:
		return good
	case mpp.Info:
		return note
	case mpp.Warn:
		return caution
	case mpp.Critical, mpp.Fail:
		return bad
	default:
		return bad
	}
}

// maintenanceText says how long a maintenance lasts and why.
func (e *env) maintenanceText(m mpp.Maintenance) string {
	text := "maintenance"
	if !m.Until.IsZero() {
		text += " until " + e.moment(m.Until)
	}
	if m.Reason != "" {
		text += " (" + m.Reason + ")"
	}
	return text
}
