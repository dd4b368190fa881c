package compat

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"mpp/action/remote"
)

// Verb says what a Job does.
type Verb string

// What can be done on a host.
const (
	// Status looks and changes nothing.
	Status Verb = "status"
	// Install puts the overlays in place that MHA needs there.
	Install Verb = "install"
	// Remove takes away every overlay of ours, of any version.
	Remove Verb = "remove"
)

// Job is what to do on a host.
type Job struct {
	Verb Verb
	// Folder is where the overlays go; empty means the place that perl's own search path names.
	// Any other is in force only for processes whose PERL5LIB has it, as Status judges it, too.
	Folder string
	// DryRun says what Install or Remove would do, and changes nothing.
	DryRun bool
	// Fast lets Install add the overlay that MHA's manager does not need, but is faster with.
	Fast bool
}

// Host is where a Job runs: a remote.Host.
type Host interface {
	Run(ctx context.Context, command string) (remote.Output, error)
	String() string
}

// On does the job on a host. It blocks until ctx ends. What went wrong is in the Report.
func (j Job) On(ctx context.Context, h Host) Report {
	report := Report{Host: h.String()}
	out, err := h.Run(ctx, j.command())
	switch {
	case err != nil:
		report.ErrorKind, report.Error = Unreached, j.reason(err)
	case out.Exit == exitNoPerl:
		report.ErrorKind, report.Error = Trouble, out.LastLine()
	case out.Exit != 0:
		report.ErrorKind, report.Error = Trouble, fmt.Sprintf("perl ended with status %d: %s", out.Exit, out.LastLine())
	default:
		if err := json.Unmarshal([]byte(out.Stdout), &report); err != nil {
			report.ErrorKind, report.Error = Trouble, fmt.Sprintf("read what perl said: %v", err)
		}
	}
	report.complete()
	return report
}

// reason is an error without the host's name, which the Report has.
func (j Job) reason(err error) string {
	var e *remote.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	begun := e.Kind == remote.Deadline || e.Kind == remote.Lost
	if begun && !j.DryRun && j.Verb != Status {
		return e.Text + "; whether anything was changed is not known"
	}
	return e.Text
}

// exitNoPerl is how the command ends on a host without perl.
const exitNoPerl = 127

// launcher finds the perl that MHA's programs are run by: the one in their first line, if they are
// there and do not leave it to PATH.
const launcher = `perl=perl
for tool in masterha_manager apply_diff_relay_logs; do
  file=$(command -v "$tool") || continue
  read -r line <"$file" || line=
  case $line in
    '#!'*/env\ *) ;;
    '#!'*perl*) set -- ${line#??}; perl=$1 ;;
  esac
  break
done
command -v "$perl" >/dev/null || { echo "there is no $perl here" >&2; exit 127; }
`

// command is the shell's command line for the job.
func (j Job) command() string {
	agent, err := perl.ReadFile("perl/agent.pl")
	if err != nil {
		panic(err) // it is in the program
	}
	words := []string{"-e", string(agent), "--", string(j.Verb), j.Folder, flag(j.DryRun), flag(j.Fast)}
	for _, o := range overlays() {
		words = append(words, o.name, string(o.text))
	}
	for i, word := range words {
		words[i] = remote.Quote(word)
	}
	return launcher + `exec "$perl" ` + strings.Join(words, " ")
}

func flag(set bool) string {
	if set {
		return "1"
	}
	return ""
}
