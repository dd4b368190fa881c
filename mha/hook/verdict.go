package hook

import (
	"fmt"
	"strings"

	"mpp"
)

// The exit codes that MHA tells apart.
const (
	// ExitDone: all was done.
	ExitDone = 0
	// ExitFailed: MHA stops what it is at.
	ExitFailed = 1
	// ExitProceed: MHA goes on. Of Shutdown it means that the server was killed and its host is
	// still up.
	ExitProceed = 10
)

// Result is a step with what became of it.
type Result struct {
	Step Step
	// Skipped says that the step was not needed, by its Unless or After.
	Skipped bool
	mpp.StepResult
}

// Failed reports whether the step was tried in vain.
func (r *Result) Failed() bool { return !r.Skipped && !r.Done }

// Verdict is how a phase went.
type Verdict struct {
	Exit int
	// Text is one sentence.
	Text string
}

// Stops reports whether a stage has a result after which no further stage is begun.
func Stops(results []Result) bool {
	for i := range results {
		if results[i].Failed() && results[i].Step.On == Ends {
			return true
		}
	}
	return false
}

// Judge says how a phase went by what became of its steps.
func Judge(r *Request, s *Setup, results []Result) Verdict {
	var warnings []string
	for i := range results {
		one := &results[i]
		switch {
		case !one.Failed():
		case one.Step.On == Ends:
			return Verdict{ExitFailed, failure(one)}
		case one.Step.On == Warns:
			warnings = append(warnings, failure(one))
		default:
		}
	}
	switch {
	case r.Program == Shutdown && r.Phase != Status:
		return judgeShutdown(results)
	case r.Program == Failover && (r.Phase == Stop || r.Phase == StopSSH):
		return judgeFence(r, s, results)
	case len(warnings) > 0:
		return Verdict{ExitProceed, strings.Join(warnings, "; ") + ": look at it after the failover"}
	default:
		return Verdict{ExitDone, "done"}
	}
}

func failure(r *Result) string {
	return fmt.Sprintf("%s at %s failed: %s", r.Step.Kind, r.Step.Node, r.Text)
}

// done reports whether a step of a kind was done.
func done(results []Result, kind mpp.StepKind) bool {
	for i := range results {
		if results[i].Step.Kind == kind && results[i].Done {
			return true
		}
	}
	return false
}

// answered reports whether a step of a kind failed although the host or server answered.
func answered(results []Result, kind mpp.StepKind) bool {
	for i := range results {
		if r := &results[i]; r.Step.Kind == kind && r.Failed() && !r.Unreachable {
			return true
		}
	}
	return false
}

// fencedBy says by what the old master is known to get no more writes from applications, "" when
// it is not known.
func fencedBy(s *Setup, results []Result) string {
	switch {
	case done(results, mpp.StepShutdown):
		return "it was turned off"
	case s.Address && done(results, mpp.StepRemoveAddress):
		return "it has lost the virtual address"
	case !s.Address && done(results, mpp.StepReadOnly):
		return "it is read-only"
	default:
		return ""
	}
}

// judgeFence judges the fencing of a dead master. A host that answers and keeps the address would
// take writes beside the new master, whatever the rule is.
func judgeFence(r *Request, s *Setup, results []Result) Verdict {
	why := fencedBy(s, results)
	switch {
	case why != "":
		return Verdict{ExitDone, "the old master is fenced: " + why}
	case len(results) == 0:
		return Verdict{ExitDone, "nothing is configured that could be done to the old master"}
	case s.Address && r.Phase == StopSSH && answered(results, mpp.StepRemoveAddress):
		return Verdict{ExitFailed, "the old master's host answers and keeps the virtual address: with a new master beside it, both would take writes"}
	case s.FenceRequired:
		return Verdict{ExitFailed, "the old master could not be fenced, and fence = \"required\": make sure that it is off, then start the failover again"}
	default:
		return Verdict{ExitProceed, "NOT FENCED: the old master may still have the virtual address, and take writes when it is seen again; fence = \"best_effort\" goes on"}
	}
}

// judgeShutdown tells a host that is off from a server that was killed: MHA reads the binary log of
// the latter.
func judgeShutdown(results []Result) Verdict {
	switch {
	case done(results, mpp.StepShutdown):
		return Verdict{ExitDone, "the host is off"}
	case done(results, EndServer):
		return Verdict{ExitProceed, "the server is dead, and its host still up"}
	default:
		return Verdict{ExitFailed, "there is no program to turn the host off (--shutdown-program, or program in [pool.failover.shutdown]), and no --pid_file of a server on a host that answers"}
	}
}

// Skips reports whether a step is not needed, or makes no sense, by what was done before.
func Skips(st *Step, before []Result) bool {
	return st.Unless != "" && done(before, st.Unless) || st.After != "" && !done(before, st.After)
}
