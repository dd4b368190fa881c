package api

import (
	"net/http"
	"slices"
	"strings"

	"mpp"
	"mpp/publish/answer"
)

// verb says what belongs to a command of that verb. A field that does not belong is refused:
// whoever sends it means something that would not be done.
type verb struct {
	name mpp.Verb
	node need
	// options are those that the verb takes, by their names in JSON.
	options []string
}

// need says whether a verb takes a node.
type need uint8

const (
	mayName need = iota
	mustName
	namesNone
)

func verbs() []verb {
	return []verb{
		{name: mpp.VerbRecover},
		{name: mpp.VerbActivatePrimary, node: namesNone},
		{name: mpp.VerbPromote, node: mustName},
		{name: mpp.VerbDemote, node: mustName},
		{name: mpp.VerbMaintenance},
		{name: mpp.VerbSwitchover, options: []string{"wait_ns", "kill_after_ns", "dry_run"}},
		{name: mpp.VerbFailover, options: []string{"dry_run", "accept_loss"}},
		{name: mpp.VerbRejoin, node: mustName, options: []string{"dry_run", "clone"}},
		{name: mpp.VerbAcknowledge, node: namesNone},
	}
}

// verbNames lists the verbs for an error.
func verbNames() string {
	var names []string
	for _, v := range verbs() {
		names = append(names, string(v.name))
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " or " + names[last]
}

func bad(hint, format string, args ...any) error {
	return failf(http.StatusBadRequest, hint, format, args...)
}

// check refuses commands that make no sense whatever the pool's logic is, and brings the
// node's address into the form of the configuration.
func (s *Server) check(p *mpp.PoolView, c *mpp.Command) error {
	known := verbs()
	i := slices.IndexFunc(known, func(v verb) bool { return v.name == c.Verb })
	switch {
	case c.Verb == "":
		return bad("", `"verb" is missing: %s`, verbNames())
	case i < 0:
		return bad("", "unknown verb %q: %s", clip(string(c.Verb)), verbNames())
	}
	if err := known[i].check(c); err != nil {
		return err
	}
	c.Maintenance.Reason = answer.OneLine(c.Maintenance.Reason)
	if c.Node == "" {
		return nil
	}
	_, n, why := answer.Find(&mpp.View{Pools: []mpp.PoolView{*p}}, p.Name, c.Node)
	if n == nil {
		return failf(http.StatusNotFound, "GET /v1/pools/"+p.Name+" lists its nodes", "%s", why)
	}
	c.Node = n.Address
	return nil
}

// check refuses what does not belong to the verb.
func (v verb) check(c *mpp.Command) error {
	switch {
	case v.node == mustName && c.Node == "":
		return bad(`give the node's address as "node"`, "%s needs a node", v.name)
	case v.node == namesNone && c.Node != "" && v.name == mpp.VerbActivatePrimary:
		return bad("use promote for any other node", "%s takes no node", v.name)
	case v.node == namesNone && c.Node != "":
		return bad("", "%s takes no node", v.name)
	case v.name != mpp.VerbMaintenance && c.Maintenance != (mpp.Maintenance{}):
		return bad("", `"maintenance" belongs to the verb maintenance only`)
	case v.name != mpp.VerbRecover && c.Force:
		return bad("", `"force" belongs to the verb recover only`)
	case v.name != mpp.VerbAcknowledge && c.Operation != 0:
		return bad("", `"operation" belongs to the verb acknowledge only`)
	case c.Options.Wait < 0 || c.Options.KillAfter < 0:
		return bad("", "a duration is below zero")
	}
	for _, name := range given(c.Options) {
		if !slices.Contains(v.options, name) {
			return bad("GET /v1/openapi.json describes the body", "%s does not take the option %q", v.name, name)
		}
	}
	return nil
}

// given lists the options that were given, by their names in JSON.
func given(o mpp.OperationOptions) []string {
	var names []string
	for _, each := range []struct {
		name string
		is   bool
	}{
		{"wait_ns", o.Wait != 0},
		{"kill_after_ns", o.KillAfter != 0},
		{"dry_run", o.DryRun},
		{"clone", o.Clone},
		{"accept_loss", o.AcceptLoss},
	} {
		if each.is {
			names = append(names, each.name)
		}
	}
	return names
}
