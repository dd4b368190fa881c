package helperconf

import (
	"fmt"
	"strings"

	"mpp/fault"
)

// defaultSection is the section whose values count for every host.
const defaultSection = "default"

// Read takes the text of a file; file is its name in what is said about it. What is wrong is in
// the cluster.
func Read(file, text string) Cluster {
	d := parse(file, text)
	c := Cluster{File: file, Default: builtIn(file)}
	var base *section
	for _, s := range d.sections {
		if s.name == defaultSection {
			base = s
		}
	}
	if base == nil {
		d.missingDefault()
		base = &section{name: defaultSection, options: map[string]option{}}
	}
	c.Default.At = d.origin(base.line)
	d.fill(&c.Default, d.everywhere)
	d.fill(&c.Default, base)
	d.settle(&c.Default, base)
	for _, s := range d.sections {
		if s == base {
			continue
		}
		h := c.Default
		h.Name, h.At, h.from = s.name, d.origin(s.line), copied(c.Default.from)
		d.overlay(&h, s)
		d.settleHost(&h, s)
		c.Hosts = append(c.Hosts, h)
	}
	if len(c.Hosts) == 0 && len(d.problems) == 0 {
		d.fail(0, "", "it has no section of a host", "write [HOST] for each host of the cluster, with the hostname that is in MHA's configuration")
	}
	c.Problems, c.Warnings = fault.Sort(d.problems), fault.Sort(d.warnings)
	return c
}

// builtIn is what a host has before anything is read. The kind of address is settled later.
func builtIn(file string) Host {
	return Host{
		Name: defaultSection, At: fault.Origin{File: file},
		Arping: true, SuperReadOnly: true, KillAfter: DefaultKillAfter, SMTPHost: defaultSMTP,
		from: map[string]fault.Origin{},
	}
}

func copied(from map[string]fault.Origin) map[string]fault.Origin {
	out := make(map[string]fault.Origin, len(from))
	for key, o := range from {
		out[key] = o
	}
	return out
}

func (d *document) missingDefault() {
	text, line := "there is no section [default]", 0
	for _, s := range d.sections {
		if strings.EqualFold(s.name, defaultSection) {
			text, line = fmt.Sprintf("[%s] is taken for a host", s.name), s.line
		}
	}
	if d.everywhere.line > 0 && line == 0 {
		line = d.everywhere.line
	}
	if len(d.problems) == 0 {
		d.fail(line, "", text, "write [default], in small letters, with what all hosts have in common")
	}
}

// overlay puts what a host's own section says, and [DEFAULT], over what it has from [default].
func (d *document) overlay(h *Host, s *section) {
	cluster := h.VIP
	where, set := h.from[KeyVIP]
	d.fill(h, d.everywhere)
	d.fill(h, s)
	// One address serves the whole cluster: a host's own was never looked at.
	if own, there := s.options[KeyVIP]; there && h.VIP != cluster {
		d.warn(own.line, keyOf(s, KeyVIP), "the address is that of the whole cluster: the one of this host counts for nothing, as with MHA Helper", "write it in [default], or take it out here")
	}
	h.VIP = cluster
	delete(h.from, KeyVIP)
	if set {
		h.from[KeyVIP] = where
	}
}

// fill reads the options of a section into a host.
func (d *document) fill(h *Host, s *section) {
	for _, key := range s.order {
		o := s.options[key]
		set, known := setters()[key]
		if !known {
			d.unknown(s, key, o)
			continue
		}
		h.from[key] = d.origin(o.line)
		if said := set(h, o.value); said != nil {
			at := keyOf(s, key)
			if said.harmless {
				d.warn(o.line, at, said.text, said.hint)
			} else {
				d.fail(o.line, at, said.text, said.hint)
			}
		}
	}
}

func (d *document) unknown(s *section, key string, o option) {
	hint := "the keys are " + strings.Join(Keys(), ", ")
	if near := fault.Nearest(key, Keys()); near != "" {
		hint = "is it " + near + "?"
	}
	d.warn(o.line, keyOf(s, key), "there is no such key: it counts for nothing, as with MHA Helper", hint)
}

// settle gives [default] the kind of address that follows from the rest.
func (d *document) settle(h *Host, s *section) {
	if _, set := h.from[KeyVIPType]; set {
		return
	}
	h.VIPType = VIPNone
	if h.VIP.IsValid() {
		h.VIPType = VIPMetal
	}
	if s.line > 0 {
		d.warn(s.line, keyOf(s, KeyVIPType), fmt.Sprintf("it is not set: %q is assumed", h.VIPType), "write it")
	}
}

// settleHost judges what only shows when all of a host's values are there.
func (d *document) settleHost(h *Host, s *section) {
	if h.VIPType == VIPNone {
		return
	}
	if !h.VIP.IsValid() && !d.told(KeyVIP) {
		d.fail(s.line, keyOf(s, KeyVIP), fmt.Sprintf("vip_type is %q, and there is no address", h.VIPType), "write writer_vip_cidr = ADDRESS/LENGTH in [default], or vip_type = none")
	}
	if h.VIPType == VIPMetal && h.Interface == "" && !d.told(KeyInterface) {
		d.fail(s.line, keyOf(s, KeyInterface), "vip_type is \"metal\", and no interface is named", "write cluster_interface = eth0, or what `ip link` shows, in [default] or here")
	}
}

// told reports whether something is wrong with a key already.
func (d *document) told(key string) bool {
	for _, p := range d.problems {
		if strings.HasSuffix(p.Key, "] "+key) {
			return true
		}
	}
	return false
}
