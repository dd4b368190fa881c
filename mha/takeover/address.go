package takeover

import (
	"fmt"
	"net/netip"
	"path"
	"strings"

	"mpp/mha/conf"
	"mpp/mha/helperconf"
)

// hostOf is what MHA Helper knows of a server; without a section what [default] says.
func (b *builder) hostOf(s *conf.Server) helperconf.Host {
	if h, has := b.helper.Host(s.Hostname); has {
		return h
	}
	return b.helper.Default
}

// helperFrom says where a key of MHA Helper's stands.
func (b *builder) helperFrom(key string) string {
	if at, set := b.helper.Default.From(key); set {
		return key + ", " + short(at)
	}
	for i := range b.helper.Hosts {
		if at, set := b.helper.Hosts[i].From(key); set {
			return key + ", " + short(at)
		}
	}
	return ""
}

// address writes the virtual address.
func (b *builder) address() {
	if b.helper == nil {
		b.scripts()
		return
	}
	b.carry("master_ip_failover_script", "master_ip_online_change_script")
	b.foreignScripts()
	d := &b.helper.Default
	b.lacking()
	kind := d.VIPType
	for i := range b.conf.Servers {
		if h := b.hostOf(&b.conf.Servers[i]); h.VIPType == helperconf.VIPMetal {
			kind = helperconf.VIPMetal
		}
	}
	if kind == helperconf.VIPMetal {
		b.metal(d)
	} else {
		b.noAddress(kind)
	}
	b.carry(helperconf.KeyVIPType, helperconf.KeyVIP, helperconf.KeyInterface, helperconf.KeyArping)
	b.differing()
}

// differing tells of keys that hosts have of their own, where a pool has one value.
func (b *builder) differing() {
	d := &b.helper.Default
	for _, one := range []struct {
		key    string
		differ func(h *helperconf.Host) bool
	}{
		{helperconf.KeyArping, func(h *helperconf.Host) bool { return h.Arping != d.Arping }},
		{helperconf.KeyKillAfter, func(h *helperconf.Host) bool { return h.KillAfter != d.KillAfter }},
	} {
		for i := range b.conf.Servers {
			if h := b.hostOf(&b.conf.Servers[i]); one.differ(&h) {
				b.leave(one.key, "It differs between hosts, and a pool has one value: that of [default] was taken.", "")
				break
			}
		}
	}
}

// noAddress says why nothing of the address is there.
func (b *builder) noAddress(kind helperconf.VIPType) {
	if !kind.Supported() {
		b.leave(helperconf.KeyVIPType, b.fateOf[helperconf.KeyVIPType].Note, "")
	}
	for _, key := range []string{helperconf.KeyVIP, helperconf.KeyInterface, helperconf.KeyArping} {
		b.leave(key, fmt.Sprintf("No address is moved: vip_type is %q.", kind), "")
	}
}

func (b *builder) metal(d *helperconf.Host) {
	b.table("[pool.vip]", "Where the applications connect to.")
	b.key("kind", quote("metal"), b.helperFrom(helperconf.KeyVIPType))
	address := d.VIP.Addr().Unmap()
	b.key("addresses", "["+quote(netip.PrefixFrom(address, address.BitLen()).String())+"]", b.helperFrom(helperconf.KeyVIP))
	if d.Interface != "" {
		b.key("interface", quote(d.Interface), b.helperFrom(helperconf.KeyInterface))
	}
	if !d.Arping {
		b.key("announce_for", quote("0s"), b.helperFrom(helperconf.KeyArping))
		b.leave(helperconf.KeyArping, b.fateOf[helperconf.KeyArping].Note, "")
	}
	if d.VIP.Bits() != address.BitLen() {
		b.leave(helperconf.KeyVIP, b.fateOf[helperconf.KeyVIP].Note, "")
	}
}

// lacking says which servers have no section.
func (b *builder) lacking() {
	var without []string
	for i := range b.conf.Servers {
		if _, has := b.helper.Host(b.conf.Servers[i].Hostname); !has {
			without = append(without, b.conf.Servers[i].Hostname)
		}
	}
	if len(without) > 0 {
		b.todo = append(b.todo, path.Base(b.helper.File)+" has no section for "+strings.Join(without, ", ")+", so MHA Helper would have failed there: what [default] says was taken. Look at the interface.")
	}
	for i := range b.conf.Servers {
		h := b.hostOf(&b.conf.Servers[i])
		if h.VIPType == helperconf.VIPNone && b.helper.Default.VIPType == helperconf.VIPMetal {
			b.todo = append(b.todo, h.Name+" has vip_type none in MHA Helper's file: MPP would put the address there, too. Write no_promote = true for it if that must not be.")
		}
	}
}

// helperPrograms are MHA Helper's, and MPP's in their place.
func helperPrograms() []string {
	return []string{"master_ip_hard_failover_helper", "master_ip_online_failover_helper", "master_ip_failover", "master_ip_online_change", "mpp"}
}

// script is a parameter that names one.
type script struct {
	name string
	of   func(*conf.Server) string
}

func scriptsOfAddress() []script {
	return []script{
		{"master_ip_failover_script", func(s *conf.Server) string { return s.MasterIPFailoverScript }},
		{"master_ip_online_change_script", func(s *conf.Server) string { return s.MasterIPOnlineChangeScript }},
	}
}

// foreignScripts tells of scripts that are not MHA Helper's: what they do besides is not known.
func (b *builder) foreignScripts() {
	for _, s := range scriptsOfAddress() {
		command := firstFilled(each(b, s.of))
		if command != "" && !callsHelper(command) {
			b.leave(s.name, command+" is not MHA Helper's: the address is moved by MPP; should the script do more, put that into a hook ([[pool.hook]]).", "")
		}
	}
}

func callsHelper(script string) bool {
	for _, word := range strings.Fields(script) {
		for _, program := range helperPrograms() {
			if path.Base(word) == program {
				return true
			}
		}
	}
	return false
}

// scripts says what to do about the scripts where MHA Helper's configuration was not given.
func (b *builder) scripts() {
	for _, s := range scriptsOfAddress() {
		switch command := firstFilled(each(b, s.of)); {
		case command == "":
		case callsHelper(command):
			b.todo = append(b.todo, "The address is moved by MHA Helper's scripts: run mpp import mha with --helper "+helperconf.Dir+", or write [pool.vip].")
			return
		default:
			b.todo = append(b.todo, "The applications' address is moved by "+command+": write [pool.vip], or clients will not find the new writer.")
			return
		}
	}
}
