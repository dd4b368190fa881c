package hook

import (
	"strings"
	"time"

	"mpp"
)

// IsSecondary reports whether a name is that of the program that MHA asks, when the master does not
// answer, whether others reach it.
func IsSecondary(name string) bool { return strings.TrimSuffix(name, "_script") == "secondary_check" }

// IsLoad reports whether a name is that of the program that MHA asks for settings.
func IsLoad(name string) bool { return strings.TrimSuffix(name, "_script") == "init_conf_load" }

// The exit codes of the second look that MHA tells apart.
const (
	// ExitDead: nobody reaches the master.
	ExitDead = 0
	// ExitBlind: nobody else could be asked.
	ExitBlind = 2
	// ExitAlive: somebody reaches it.
	ExitAlive = 3
)

// Question is one call of the program that is asked whether others reach the master.
type Question struct {
	// Master is the master, unknown when MHA's arguments are kept from the program; see ParseQuestion.
	Master  Server
	Options Options
	Notes   []string
}

// ParseQuestion reads the arguments of a call. MHA puts the master's password there as it is, and into
// its log; where that breaks the command line, a # behind the setting keeps all of MHA's arguments
// away, and the pool must be named by ours.
func ParseQuestion(args []string) Question {
	var q Question
	var own Request
	for _, arg := range args {
		name, value, _ := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		switch rest, of := strings.CutPrefix(name, "master_"); {
		case !strings.HasPrefix(arg, "--"):
			q.Notes = append(q.Notes, "not known and not heeded: "+shortName(arg))
		case rest == "user" || rest == "password": // raw here, and of no use: MPP has an account
		case of && q.Master.set(rest, value), own.setOption(name, value):
		case name == "user" || name == "ping_type" || name == "options" || name == "port" || name == "timeout":
		default:
			q.Notes = append(q.Notes, "not known and not heeded: "+shortName(arg))
		}
	}
	q.Options = own.Options
	q.Master.Port = firstOf(q.Master.Port, defaultPort)
	return q
}

// Ask is the plan: the master is tried from here, and the replicas try their links. master is empty when
// it is not known; then every node is tried, and each that is a replica its link.
func Ask(master string, nodes []string, limit time.Duration) Plan {
	var stage Stage
	for _, node := range nodes {
		if master == "" || node == master {
			stage = append(stage, Step{Step: mpp.Step{Kind: mpp.StepPosition, Node: node, Limit: limit}, On: Noted})
		}
		if node != master {
			stage = append(stage, Step{Step: mpp.Step{Kind: mpp.StepTestLink, Node: node, Limit: limit}, On: Noted})
		}
	}
	return Plan{Stages: []Stage{stage}}
}

// Answer says what was found. An answer of the master, even an error, is a sign of life.
func Answer(master string, results []Result) Verdict {
	witnesses, silent := 0, 0
	for i := range results {
		r := &results[i]
		alive := r.Done || !r.Unreachable
		switch {
		case r.Step.Kind == mpp.StepTestLink && r.Alive:
			return Verdict{ExitAlive, r.Step.Node + " reaches its source: no failover"}
		case r.Step.Kind == mpp.StepTestLink && r.Done:
			witnesses++
		case r.Step.Kind == mpp.StepPosition && r.Step.Node == master && alive:
			return Verdict{ExitAlive, "the master answers here: no failover"}
		case r.Step.Kind == mpp.StepPosition && !alive:
			silent++
		}
	}
	switch {
	case silent == 0:
		return Verdict{ExitAlive, "every server answers here: no failover"}
	case witnesses == 0:
		return Verdict{ExitBlind, "no replica could say whether it reaches the master: no failover"}
	default:
		return Verdict{ExitDead, "neither this host nor any replica that could be asked reaches the master"}
	}
}
