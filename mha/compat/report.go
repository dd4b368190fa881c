package compat

import (
	"strings"
)

// Kind says what kept a job from being done on a host.
type Kind string

// The kinds of errors.
const (
	// Unreached: the host did not answer in time, or did not let us in.
	Unreached Kind = "unreached"
	// Refused: what is there is not ours, or MHA is not there; nothing was changed.
	Refused Kind = "refused"
	// Trouble: anything else, such as a folder that cannot be written to.
	Trouble Kind = "trouble"
)

// Report is how a host is after a Job, and what the Job did there.
type Report struct {
	Host string `json:"host"`
	// Perl is the version of the perl that MHA's programs are run by, Interpreter its file.
	Perl        string `json:"perl"`
	Interpreter string `json:"interpreter"`
	// Manager and Node are the two parts of MHA; their Version is empty where they are not.
	Manager Part `json:"manager"`
	Node    Part `json:"node"`
	// Folder is the place for overlays; empty when perl has none.
	Folder  string   `json:"folder"`
	Modules []Module `json:"modules"`
	// Changes are what was done or, in a dry run, would be, a line each; Notes what was not, and
	// why.
	Changes []string `json:"changes"`
	Notes   []string `json:"notes"`
	// ErrorKind and Error say why the job was not done; empty when it was.
	ErrorKind Kind   `json:"error_kind,omitempty"`
	Error     string `json:"error,omitempty"`
}

// Part is the manager or the node part of MHA.
type Part struct {
	// Version is what it says itself, such as 0.58; Package the version of the package that it came
	// with, empty for none.
	Version string `json:"version"`
	Package string `json:"package"`
}

// Installed reports whether perl finds the part.
func (p Part) Installed() bool { return p.Version != "" }

// String is the package's version, or its own.
func (p Part) String() string {
	if p.Package != "" {
		return p.Package
	}
	return p.Version
}

// State is what stands where an overlay belongs.
type State string

// The states of an overlay.
const (
	None State = "none"
	// Current is as this program would write it; Old has a lower version, Newer a higher one.
	Current State = "current"
	Old     State = "old"
	Newer   State = "newer"
	// Changed has our first line with this program's version, and another text.
	Changed State = "changed"
	// Foreign is not ours.
	Foreign State = "foreign"
)

// Module is a Perl module that we have an overlay for.
type Module struct {
	// Name is its file below a folder of @INC, such as MHA/NodeUtil.pm.
	Name string `json:"name"`
	// Packaged is the file of the package, Fault what went wrong when that was tried; empty for
	// nothing.
	Packaged string `json:"packaged"`
	Fault    string `json:"fault"`
	// File is the overlay's place, Overlay what stands there, Version ours; 0 for none.
	File    string `json:"file"`
	Overlay State  `json:"overlay"`
	Version int    `json:"version"`
	// Loaded is the file that MHA's programs get, Trouble what went wrong when that was tried;
	// InForce says that nothing did, and that it is ours.
	Loaded  string `json:"loaded"`
	Trouble string `json:"trouble"`
	InForce bool   `json:"in_force"`
}

// Title is the module's name in Perl, such as MHA::NodeUtil.
func (m *Module) Title() string {
	return strings.ReplaceAll(strings.TrimSuffix(m.Name, ".pm"), "/", "::")
}

// Optional reports whether MHA works without the overlay, only slower.
func (m *Module) Optional() bool { return !strings.HasPrefix(m.Name, "MHA/") }

// Faulty lists the modules that MHA would fail with on this host, as they are now.
func (r *Report) Faulty() []Module {
	var all []Module
	for _, m := range r.Modules {
		if m.Trouble != "" && !m.Optional() {
			all = append(all, m)
		}
	}
	return all
}

// Works reports whether MHA's node part, and its manager where that is, can run there.
func (r *Report) Works() bool {
	return r.Error == "" && r.Node.Installed() && len(r.Faulty()) == 0
}

// complete makes lists of nothing that are there.
func (r *Report) complete() {
	if r.Modules == nil {
		r.Modules = []Module{}
	}
	if r.Changes == nil {
		r.Changes = []string{}
	}
	if r.Notes == nil {
		r.Notes = []string{}
	}
}
