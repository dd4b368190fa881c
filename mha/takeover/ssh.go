package takeover

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	"mpp/mha/conf"
	"mpp/mha/helperconf"
)

// sshOptions is what the options of the program ssh come to.
type sshOptions struct {
	key, knownHosts, user string
	port                  int
	timeout               time.Duration
	// rest are those that MPP has nothing for.
	rest []string
}

// parseSSH reads a command line of ssh's options. Quotes have gone already.
func parseSSH(line string) sshOptions {
	var o sshOptions
	words := strings.Fields(line)
	for i := 0; i < len(words); i++ {
		word := words[i]
		if len(word) < 2 || word[0] != '-' || !strings.ContainsRune("ipluoF", rune(word[1])) {
			o.rest = append(o.rest, word)
			continue
		}
		value := word[2:]
		if value == "" && i+1 < len(words) {
			i++
			value = words[i]
		}
		o.option(word[1], value)
	}
	return o
}

func (o *sshOptions) option(letter byte, value string) {
	known := true
	switch letter {
	case 'i':
		o.key = value
	case 'l':
		o.user = value
	case 'p':
		known = o.number(&o.port, value)
	case 'o':
		known = o.named(value)
	default:
		known = false
	}
	if !known {
		o.rest = append(o.rest, strings.TrimRight("-"+string(letter)+" "+value, " "))
	}
}

// named takes an option of -o; false: there is nothing for it.
func (o *sshOptions) named(option string) bool {
	name, value, _ := strings.Cut(option, "=")
	switch strings.ToLower(name) {
	case "identityfile":
		o.key = value
	case "userknownhostsfile":
		if value == "/dev/null" {
			return false
		}
		o.knownHosts = value
	case "user":
		o.user = value
	case "port":
		return o.number(&o.port, value)
	case "connecttimeout":
		seconds := 0
		if !o.number(&seconds, value) {
			return false
		}
		o.timeout = time.Duration(seconds) * time.Second
	default:
		return false
	}
	return true
}

func (o *sshOptions) number(into *int, value string) bool {
	n, err := strconv.ParseUint(value, 10, 16)
	if err != nil || n == 0 {
		return false
	}
	*into = int(n)
	return true
}

// The files of ssh unless MHA's options, or the caller's, name others.
const (
	defaultKey        = "id_ed25519"
	defaultKnownHosts = "known_hosts"
)

// ssh writes how hosts are reached.
func (b *builder) ssh() {
	b.way = parseSSH(b.conf.SSHOptions)
	if b.conf.SSHOptions != "" {
		b.carry("ssh_options")
	}
	if len(b.way.rest) > 0 {
		b.leave("ssh_options", strings.Join(b.way.rest, " ")+" has no key: MPP logs in by itself, without the program ssh, directly, and to known hosts only.", "")
	}
	b.table("[pool.ssh]", "How the nodes' hosts are reached: for the address, for fencing, and for a dead server's binary log.")
	common := b.commonSSH()
	b.key("user", quote(common.user), b.userNote())
	if common.port != 0 {
		note := b.from("ssh_port")
		if !b.set("ssh_port") {
			note = b.optionsNote()
		}
		b.key("port", strconv.Itoa(common.port), note)
	}
	b.sshFiles()
	switch {
	case common.sudo:
		b.key("sudo", "true", b.helperFrom(helperconf.KeySudo))
	case common.user != "root":
		b.todo = append(b.todo, "MPP logs in to hosts as "+common.user+": write sudo = true in [pool.ssh] if that user becomes root by sudo (docs/operations/security.md).")
	}
	switch {
	case b.set("ssh_connection_timeout"):
		b.key("timeout", duration(slices.Max(each(b, func(s *conf.Server) time.Duration { return s.SSHTimeout }))), b.from("ssh_connection_timeout"))
	case b.way.timeout != 0:
		b.key("timeout", duration(b.way.timeout), b.optionsNote())
	}
	b.carry("ssh_user", "ssh_port", "ssh_host", "ssh_connection_timeout", helperconf.KeySudo)
}

// userNote says where the user of ssh comes from.
func (b *builder) userNote() string {
	switch {
	case b.set("ssh_user"):
		return b.from("ssh_user")
	case b.way.user != "":
		return b.optionsNote()
	}
	b.todo = append(b.todo, "MHA's files name no ssh_user: MHA logged in as whoever started it. Mend user in [pool.ssh] if that was not root.")
	return ""
}

// optionsNote says where ssh_options stand.
func (b *builder) optionsNote() string { return "ssh_options, " + short(b.conf.SSHOptionsAt) }

func (b *builder) sshFiles() {
	key, known := cmp.Or(b.options.SSHKey, b.way.key), cmp.Or(b.options.KnownHosts, b.way.knownHosts)
	if strings.HasPrefix(key, "~") || strings.Contains(key, "%") {
		key = "" // only a shell or ssh could tell what that is
	}
	if key != "" && b.options.SSHKey == "" {
		b.todo = append(b.todo, "Let the user that mppd runs as read "+key+" (a copy is better than a wider mode): it is the key that MHA logged in with.")
	}
	if key == "" {
		b.todo = append(b.todo, "Put the private key that MHA logged in with beside this file as "+defaultKey+" (chmod 0640, group of the daemon), or name it in [pool.ssh].")
	}
	if known == "" || strings.HasPrefix(known, "~") || strings.Contains(known, "%") {
		known = ""
		b.todo = append(b.todo, "MPP logs in to known hosts only: write "+defaultKnownHosts+" beside this file with ssh-keyscan "+strings.Join(b.hosts(), " ")+", and compare the fingerprints.")
	}
	b.key("key_file", quote(cmp.Or(key, defaultKey)), "")
	b.key("known_hosts", quote(cmp.Or(known, defaultKnownHosts)), "")
}

// hosts are those that ssh goes to.
func (b *builder) hosts() []string {
	var all []string
	for i := range b.conf.Servers {
		if h := sshHost(&b.conf.Servers[i]); !slices.Contains(all, h) {
			all = append(all, h)
		}
	}
	return all
}

func sshHost(s *conf.Server) string {
	if s.SSHHost != s.Hostname {
		return s.SSHHost
	}
	return cmp.Or(s.IP, s.Hostname)
}

// reach is how one host is reached, as far as servers differ.
type reach struct {
	user string
	port int
	sudo bool
}

// reachOf is a server's own.
func (b *builder) reachOf(s *conf.Server) reach {
	r := reach{user: cmp.Or(s.SSHUser, b.way.user, "root"), port: s.SSHPort}
	if _, set := s.From("ssh_port"); !set {
		r.port = b.way.port // 0 is MPP's default, which is MHA's
	}
	if r.port == 22 {
		r.port = 0
	}
	if b.helper != nil {
		r.sudo = b.hostOf(s).Sudo
	}
	return r
}

// commonSSH is what most servers have.
func (b *builder) commonSSH() reach {
	return common(b.conf.Servers, b.reachOf)
}

// common is the value that most servers have, the first of those.
func common[T comparable](servers []conf.Server, of func(*conf.Server) T) T {
	count := map[T]int{}
	var best T
	for i := range servers {
		v := of(&servers[i])
		count[v]++
	}
	for i := range servers {
		if v := of(&servers[i]); count[v] > count[best] {
			best = v
		}
	}
	return best
}

// nodeSSH is what a node has of its own, as pairs of an inline table.
func (b *builder) nodeSSH(s *conf.Server) []string {
	var pairs []string
	if s.SSHHost != s.Hostname {
		pairs = append(pairs, "host = "+quote(s.SSHHost))
	}
	own, all := b.reachOf(s), b.commonSSH()
	if own.user != all.user {
		pairs = append(pairs, "user = "+quote(own.user))
	}
	if own.port != all.port {
		pairs = append(pairs, "port = "+strconv.Itoa(cmp.Or(own.port, 22)))
	}
	if own.sudo != all.sudo {
		pairs = append(pairs, "sudo = "+strconv.FormatBool(own.sudo))
	}
	return pairs
}
