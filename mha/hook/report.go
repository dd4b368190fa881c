package hook

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"mpp"
)

// IsReport reports whether a name is that of the program that MHA calls at the end of a failover; MHA's sample and MHA Helper
// have names of their own for it.
func IsReport(name string) bool {
	switch strings.TrimSuffix(name, "_script") {
	case "master_failover_report", "send_report", "report":
		return true
	default:
		return false
	}
}

// ReportNames are all names that IsReport knows but for those with _script.
func ReportNames() []string { return []string{"master_failover_report", "send_report", "report"} }

// Report is one call of the report program.
type Report struct {
	// Orig and New are MHA's hostnames; New is empty when no new master was made. Slaves are those
	// that follow it.
	Orig, New string
	Slaves    []string
	// Conf is MHA's configuration, Subject and Body what it wants to be told.
	Conf, Subject, Body string
	// Options stand in MHA's configuration; Mail is about who gets the report.
	Options Options
	Mail    Mail
	Notes   []string
}

// Mail says how a report is sent, as the arguments have it.
type Mail struct {
	To           []string
	From         string
	Server       string
	TLS, CA      string
	User         string
	PasswordFile string
	// Program gets the report on its standard input.
	Program string
}

// ParseReport reads the arguments of a call of the report program, as Parse does those of others.
func ParseReport(args []string) (Report, error) {
	var r Report
	var own Request
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		if !strings.HasPrefix(arg, "--") || !r.set(name, value) && !own.setOption(name, value) {
			r.Notes = append(r.Notes, "not known and not heeded: "+shortName(arg))
		}
	}
	if len(r.Notes) > maxNoted {
		r.Notes = append(r.Notes[:maxNoted], "and more")
	}
	r.Options = own.Options
	var wrong []error
	if r.Orig == "" {
		wrong = append(wrong, errors.New("--orig_master_host is missing"))
	}
	if r.Subject == "" && r.Body == "" {
		wrong = append(wrong, errors.New("--subject and --body are missing"))
	}
	return r, errors.Join(wrong...)
}

// shortName is an argument without its value.
func shortName(arg string) string {
	name, _, _ := strings.Cut(arg, "=")
	if !strings.HasPrefix(name, "--") {
		return "a word that is no argument"
	}
	return name
}

// set takes one argument; false when there is none of that name.
func (r *Report) set(name, value string) bool {
	list := func() []string { return strings.FieldsFunc(value, func(c rune) bool { return c == ',' || c == ' ' }) }
	switch name {
	case "orig_master_host":
		r.Orig = value
	case "new_master_host":
		r.New = value
	case "new_slave_hosts":
		r.Slaves = list()
	case "conf":
		r.Conf = value
	case "subject":
		r.Subject = value
	case "body":
		r.Body = value
	case "mail-to":
		r.Mail.To = append(r.Mail.To, list()...)
	case "mail-from":
		r.Mail.From = value
	case "smtp":
		r.Mail.Server = value
	case "smtp-tls":
		r.Mail.TLS = value
	case "smtp-ca":
		r.Mail.CA = value
	case "smtp-user":
		r.Mail.User = value
	case "smtp-password-file":
		r.Mail.PasswordFile = value
	case "report-program":
		r.Mail.Program = value
	default:
		return false
	}
	return true
}

// Done is a call of a hook that is over, as it is kept for the report.
type Done struct {
	At      time.Time     `json:"at"`
	Took    time.Duration `json:"took_ns"`
	Program Program       `json:"program"`
	Phase   Phase         `json:"phase"`
	Exit    int           `json:"exit"`
	Text    string        `json:"text"`
	Steps   []DoneStep    `json:"steps"`
}

// DoneStep is one of its steps.
type DoneStep struct {
	What string        `json:"what"`
	Done bool          `json:"done"`
	Text string        `json:"text"`
	Took time.Duration `json:"took_ns"`
}

// Summary is a call in short.
func Summary(r *Request, v Verdict, results []Result) Done {
	d := Done{Program: r.Program, Phase: r.Phase, Exit: v.Exit, Text: v.Text}
	for i := range results {
		if one := &results[i]; !one.Skipped {
			d.Steps = append(d.Steps, DoneStep{What: What(one.Step.Kind, one.Step.Node), Done: one.Done, Text: one.Text, Took: one.Took})
		}
	}
	return d
}

// What names a step.
func What(kind mpp.StepKind, node string) string { return fmt.Sprintf("%s at %s", kind, node) }

// Compose is the report: what was not done first, then MHA's own words, then what the hooks did.
// MHA says of every stop that the address is gone; whether it is, only the hook knows.
func Compose(r *Report, calls []Done) (subject, body string) {
	subject = r.Subject
	var b strings.Builder
	for _, c := range calls {
		if c.Exit != ExitDone && (c.Program != Shutdown || c.Exit != ExitProceed) {
			fmt.Fprintf(&b, "LOOK AT THIS: %s %s: %s\n", c.Program, c.Phase, c.Text)
		}
	}
	if b.Len() > 0 {
		subject = "[look at this] " + subject
		b.WriteString("\n")
	}
	b.WriteString(strings.TrimRight(r.Body, "\n") + "\n\n")
	if r.New == "" {
		b.WriteString("MHA names no new master.\n\n")
	}
	b.WriteString("What MPP did as MHA's hooks:\n")
	if len(calls) == 0 {
		b.WriteString("  nothing that it knows of\n")
	}
	for _, c := range calls {
		fmt.Fprintf(&b, "\n%s  %s %s: exit code %d after %d ms: %s\n", c.At.Format("2006-01-02 15:04:05"), c.Program, c.Phase, c.Exit, c.Took.Milliseconds(), c.Text)
		for _, s := range c.Steps {
			mark := "done  "
			if !s.Done {
				mark = "FAILED"
			}
			fmt.Fprintf(&b, "  %s %s: %s (%d ms)\n", mark, s.What, s.Text, s.Took.Milliseconds())
		}
	}
	return subject, b.String()
}
