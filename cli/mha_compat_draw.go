package cli

import (
	"fmt"
	"strings"

	"mpp/mha/compat"
)

// compatCode is the exit code of a job on hosts: the worst of what was in its way comes first.
func compatCode(job compat.Job, reports []compat.Report) int {
	kinds, well := map[compat.Kind]bool{}, true
	for i := range reports {
		kinds[reports[i].ErrorKind] = true
		well = well && wellAfter(job, &reports[i])
	}
	switch {
	case kinds[compat.Unreached]:
		return ExitUnreachable
	case kinds[compat.Trouble]:
		return ExitTrouble
	case kinds[compat.Refused]:
		return ExitRefused
	case !well:
		return ExitNotOK
	default:
		return ExitOK
	}
}

// wellAfter reports whether a host is as the job should leave it. What remove leaves has MHA's
// faults, and a dry run changes nothing about them.
func wellAfter(job compat.Job, r *compat.Report) bool {
	if job.Verb == compat.Remove || job.DryRun {
		return r.Error == ""
	}
	return r.Works()
}

// draw shows what was found, or done, on all hosts.
func (c *compatCommand) draw(reports []compat.Report) string {
	var b strings.Builder
	p := c.page(true)
	if c.job.Verb == compat.Status {
		drawCompatTable(&b, p, reports)
	}
	var lines strings.Builder
	for i := range reports {
		drawCompatLines(&lines, p, c.job, &reports[i])
	}
	if b.Len() > 0 && lines.Len() > 0 {
		b.WriteByte('\n')
	}
	b.WriteString(lines.String())
	b.WriteByte('\n')
	text, how := c.verdict(reports)
	p.paint(&b, how, text)
	b.WriteByte('\n')
	return b.String()
}

// drawCompatTable is a row a module, with what is the host's own in its first.
func drawCompatTable(b *strings.Builder, p page, reports []compat.Report) {
	t := &table{}
	t.heading("HOST", "MANAGER", "NODE", "PERL", "MODULE", "PACKAGED", "OVERLAY", "MHA GETS")
	for i := range reports {
		r := &reports[i]
		if r.Error != "" {
			continue
		}
		lead := []cell{{text: r.Host}, {text: orNone(r.Manager.String(), "-")}, {text: orNone(r.Node.String(), "-")}, {text: r.Perl}}
		if len(r.Modules) == 0 {
			t.add(append(lead, cell{text: "-"})...)
		}
		for j := range r.Modules {
			t.add(append(lead, moduleCells(&r.Modules[j])...)...)
			lead = make([]cell, len(lead))
		}
	}
	if len(t.rows) > 1 {
		t.render(b, p)
	}
}

// moduleCells are a module's name, what it is as packaged, its overlay and what MHA gets.
func moduleCells(m *compat.Module) []cell {
	wrong := "faulty"
	if m.Optional() {
		wrong = "slow"
	}
	judged := func(trouble string) cell {
		switch {
		case trouble == "":
			return cell{text: "ok", style: good}
		case m.Optional():
			return cell{text: wrong, style: note}
		default:
			return cell{text: wrong, style: bad}
		}
	}
	gets := judged(m.Trouble)
	if m.InForce {
		gets.text += ", the overlay"
	}
	return []cell{{text: m.Title()}, judged(m.Fault), overlayCell(m), gets}
}

// overlayCell is what stands in an overlay's place.
func overlayCell(m *compat.Module) cell {
	switch m.Overlay {
	case compat.None:
		return cell{text: "-"}
	case compat.Current:
		return cell{text: fmt.Sprintf("version %d", m.Version)}
	case compat.Foreign:
		return cell{text: "not MPP's", style: caution}
	default:
		return cell{text: fmt.Sprintf("version %d, %s", m.Version, m.Overlay), style: caution}
	}
}

// drawCompatLines tells what was done on a host, what was not, and what is wrong.
func drawCompatLines(b *strings.Builder, p page, job compat.Job, r *compat.Report) {
	line := func(how style, text string) {
		b.WriteString(clean(r.Host) + ": ")
		p.paint(b, how, clean(text))
		b.WriteByte('\n')
	}
	for _, change := range r.Changes {
		line(plain, change)
	}
	for _, text := range r.Notes {
		line(plain, text)
	}
	switch {
	case r.Error != "":
		line(bad, r.Error)
	case job.Verb != compat.Status && len(r.Changes)+len(r.Notes) == 0:
		line(plain, "nothing to do")
	case job.Verb == compat.Status && !r.Node.Installed():
		line(bad, "MHA's node package is not installed")
	}
	if r.Error != "" || job.Verb == compat.Remove || job.DryRun {
		return
	}
	for _, m := range r.Faulty() {
		line(bad, m.Title()+": "+m.Trouble)
	}
}

// verdict is the last line: how many hosts are as they should be, and what to do if not.
func (c *compatCommand) verdict(reports []compat.Report) (string, style) {
	var failed, faulty []string
	for i := range reports {
		switch r := &reports[i]; {
		case r.Error != "":
			failed = append(failed, r.Host)
		case !wellAfter(c.job, r):
			faulty = append(faulty, r.Host)
		}
	}
	hosts := plural(len(reports), "host")
	switch {
	case len(failed) > 0 && c.job.Verb == compat.Status:
		return fmt.Sprintf("not OK: %d of %s could not be looked at", len(failed), hosts), bad
	case len(failed) > 0:
		return fmt.Sprintf("not OK: not done on %d of %s", len(failed), hosts), bad
	case len(faulty) > 0 && c.job.Verb == compat.Status:
		return joined(": ", fmt.Sprintf("not OK: MHA cannot run on %d of %s", len(faulty), hosts), c.remedy(reports)), bad
	case len(faulty) > 0:
		return fmt.Sprintf("not OK: MHA cannot run on %d of %s", len(faulty), hosts), bad
	case c.job.DryRun:
		return "OK: nothing was changed", good
	case c.job.Verb == compat.Remove:
		return fmt.Sprintf("OK: no overlay of MPP's is left on %s", hosts), good
	case c.job.Folder != "":
		return fmt.Sprintf("OK: MHA can run on %s, with PERL5LIB=%s", hosts, c.job.Folder), good
	default:
		return fmt.Sprintf("OK: MHA can run on %s", hosts), good
	}
}

// remedy is the command that mends what status found; empty when none does.
func (c *compatCommand) remedy(reports []compat.Report) string {
	var names []string
	for i := range reports {
		if r := &reports[i]; r.Node.Installed() && !r.Works() {
			names = append(names, r.Host)
		}
	}
	words := "mpp mha compat install"
	if c.job.Folder != "" {
		words += " --dir " + c.job.Folder
	}
	switch {
	case len(names) == 0:
		return ""
	case c.pool != "":
		return words + " --pool " + c.pool
	default:
		return words + " " + strings.Join(names, " ")
	}
}
