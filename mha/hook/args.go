package hook

import (
	"errors"
	"fmt"
	"strings"
)

// maxNoted bounds how many unknown arguments are told.
const maxNoted = 10

// Parse reads the arguments of a call. The error says everything that keeps it from being
// understood; a Request comes with it all the same, with what was.
func Parse(p Program, args []string) (Request, error) {
	r := Request{Program: p}
	var unknown []string
	for _, arg := range args {
		name, value, has := strings.Cut(strings.TrimPrefix(arg, "--"), "=")
		switch {
		case !strings.HasPrefix(arg, "--"):
			unknown = append(unknown, "a word that is no argument")
		case r.set(name, value, has):
		default:
			unknown = append(unknown, "--"+name) // its value may be a password
		}
	}
	if len(unknown) > maxNoted {
		unknown = append(unknown[:maxNoted], fmt.Sprintf("and %d more", len(unknown)-maxNoted))
	}
	for _, one := range unknown {
		r.Notes = append(r.Notes, "not known and not heeded: "+one)
	}
	return r, r.complete()
}

// set takes one argument; false when there is none of that name.
func (r *Request) set(name, value string, has bool) bool {
	if name == "orig_master_is_new_slave" {
		r.OrigIsNewSlave = !has || value != "0"
		return true
	}
	for _, side := range []struct {
		prefix string
		server *Server
	}{{"orig_master_", &r.Orig}, {"new_master_", &r.New}} {
		if rest, of := strings.CutPrefix(name, side.prefix); of {
			return side.server.set(rest, value)
		}
	}
	return r.setOwn(name, value) || r.setOption(name, value)
}

// set takes what is said of one server.
func (s *Server) set(name, value string) bool {
	switch name {
	case "host":
		s.Host = value
	case "ip":
		s.IP = value
	case "port":
		s.Port = value
	case "user":
		s.User = Unescape(value)
	case "password":
		s.Password = Unescape(value)
	case "ssh_user":
		s.SSH.User = value
	case "ssh_host":
		s.SSH.Host = value
	case "ssh_ip":
		s.SSH.IP = value
	case "ssh_port":
		s.SSH.Port = value
	default:
		return false
	}
	return true
}

// setOwn takes what MHA says without naming one of two servers. The shutdown program is told of
// one server only, and ssh_user is that of the server which the phase is about.
func (r *Request) setOwn(name, value string) bool {
	switch name {
	case "command":
		r.Phase = Phase(value)
	case "ssh_user":
		r.Orig.SSH.User, r.New.SSH.User = firstOf(r.Orig.SSH.User, value), firstOf(r.New.SSH.User, value)
	case "ssh_options":
		r.SSHOptions = value
	case "pid_file":
		r.PIDFile = value
	default:
		return r.Program == Shutdown && r.Orig.set(name, value)
	}
	return true
}

func firstOf(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// setOption takes one of our own arguments.
func (r *Request) setOption(name, value string) bool {
	o := &r.Options
	switch name {
	case "config":
		o.Config = value
	case "helper":
		o.Helper = value
	case "pool":
		o.Pool = value
	case "fence":
		o.Fence = value
	case "shutdown-program":
		o.Shutdown = value
	case "spare":
		o.Spare = append(o.Spare, strings.FieldsFunc(value, func(c rune) bool { return c == ',' })...)
	case "key-file":
		o.KeyFile = value
	case "known-hosts":
		o.KnownHosts = value
	case "state-dir":
		o.StateDir = value
	case "undo-after":
		o.UndoAfter = value
	default:
		return false
	}
	return true
}

// defaultPort is where MHA looks for a server of which nothing is said.
const defaultPort = "3306"

// complete fills in defaults and says what is missing.
func (r *Request) complete() error {
	var wrong []error
	for _, s := range []*Server{&r.Orig, &r.New} {
		s.Port = firstOf(s.Port, defaultPort)
	}
	if !r.Phase.of(r.Program) {
		wrong = append(wrong, fmt.Errorf("--command=%s is no phase of %s", r.Phase, r.Program))
	}
	if !r.Orig.Known() {
		wrong = append(wrong, errors.New("--orig_master_host is missing"))
	}
	if r.Phase.needsNew(r.Program) && !r.New.Known() {
		wrong = append(wrong, errors.New("--new_master_host is missing"))
	}
	o := &r.Options
	if o.Config != "" && o.Helper != "" {
		wrong = append(wrong, errors.New("--config and --helper exclude each other"))
	}
	if o.Fence != "" && o.Fence != FenceBestEffort && o.Fence != FenceRequired {
		wrong = append(wrong, fmt.Errorf("--fence=%s is neither %s nor %s", o.Fence, FenceBestEffort, FenceRequired))
	}
	return errors.Join(wrong...)
}

// The rules of fencing, as [pool.failover] spells them.
const (
	FenceBestEffort = "best_effort"
	FenceRequired   = "required"
)

// of reports whether a program has the phase. Online has no status in MHA; those who try it by
// hand ask for it.
func (p Phase) of(program Program) bool {
	switch p {
	case Status, Stop:
		return true
	case Start:
		return program != Shutdown
	case StopSSH:
		return program != Online
	default:
		return false
	}
}

// needsNew reports whether MHA names the new master in the phase.
func (p Phase) needsNew(program Program) bool {
	return p == Start || p == Stop && program == Online
}
