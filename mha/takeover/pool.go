package takeover

import (
	"cmp"
	"path"
	"slices"
	"strings"
	"time"

	"mpp/mha/conf"
	"mpp/mha/helperconf"
)

// pool writes what stands in [[pool]] itself.
func (b *builder) pool() {
	b.table("[[pool]]")
	b.key("name", quote(b.name), "")
	b.key("engine", quote("native"), "MPP promotes by itself")
	intervals := each(b, func(s *conf.Server) time.Duration { return s.PingInterval })
	interval := slices.Min(intervals)
	if b.set("ping_interval") {
		note := b.from("ping_interval")
		if interval > time.Second {
			note += "; without it MPP polls every second"
		}
		b.key("interval", duration(interval), note)
	}
	b.carry("ping_interval")
	if len(intervals) > 1 {
		b.leave("ping_interval", "It differs between servers, and a pool has one interval: the shortest was taken.", "")
	}
	b.ping(interval)
}

// ping carries ping_type over. MHA takes the first server's when it looks a second time, and that
// of the master otherwise.
func (b *builder) ping(interval time.Duration) {
	types := each(b, func(s *conf.Server) conf.PingType { return s.PingType })
	b.carry("ping_type")
	if len(types) > 1 {
		b.leave("ping_type", "It differs between servers: that of "+b.conf.Servers[b.primary].Hostname+" was taken.", "")
	}
	switch b.conf.Servers[b.primary].PingType {
	case conf.PingConnect:
		b.key("login_interval", duration(interval), b.from("ping_type"))
	case conf.PingInsert, conf.PingSelect:
	}
}

// checks carries over what is asked of a node.
func (b *builder) checks() {
	if b.conf.Servers[b.primary].PingType == conf.PingInsert {
		b.table("[pool.checks.write]", "A heartbeat row finds a full disk, too.")
		b.key("enabled", "true", b.from("ping_type"))
		b.todo = append(b.todo, "ping_type was INSERT: MPP writes its rows into mpp.heartbeat. CREATE DATABASE mpp on the writer, and GRANT CREATE, SELECT, INSERT, UPDATE on it to the account of the polls.")
	}
	b.lag()
}

// lag carries check_repl_delay over.
func (b *builder) lag() {
	if !b.set("check_repl_delay") {
		return
	}
	strict := func(s *conf.Server) bool { return s.CheckReplDelay }
	if !slices.Contains(each(b, strict), false) {
		b.leave("check_repl_delay", "MPP has thresholds of its own, in seconds and not in bytes: checks.lag.", "")
		return
	}
	b.table("[pool.checks.lag]")
	b.key("critical", quote("0s"), b.from("check_repl_delay")+": lag alone keeps nobody from being promoted")
	b.carry("check_repl_delay")
	if len(each(b, strict)) > 1 {
		b.leave("check_repl_delay", "It differs between servers, and a pool has one rule: 0 was taken for all.", "")
	}
}

// failover writes what stands in [pool.failover] and [pool.switchover].
func (b *builder) failover() {
	b.table("[pool.failover]")
	b.key("mode", quote("manual"), `"auto" when mpp doctor finds nothing more`)
	b.key("max_loss", "0", `rather no failover than a known loss; MHA went on whatever was lost: that is "any"`)
	bindirs := each(b, func(s *conf.Server) string { return s.ClientBindir })
	if dir := common(b.conf.Servers, func(s *conf.Server) string { return s.ClientBindir }); dir != "" {
		b.key("binlog_program", quote(path.Join(dir, "mysqlbinlog")), b.from("client_bindir"))
		b.carry("client_bindir")
		if len(bindirs) > 1 {
			b.leave("client_bindir", "It differs between servers, and a pool has one program: that of most servers was taken.", "")
		}
	}
	b.shutdown()
	if b.helper == nil {
		return
	}
	if _, set := b.helper.Default.From(helperconf.KeyKillAfter); set {
		b.table("[pool.switchover]")
		b.key("kill_after", duration(max(b.helper.Default.KillAfter, 100*time.Millisecond)), b.helperFrom(helperconf.KeyKillAfter))
	}
	b.carry(helperconf.KeyKillAfter)
}

// shutdown shows what the program would be that calls MHA's.
func (b *builder) shutdown() {
	scripts := each(b, func(s *conf.Server) string { return s.ShutdownScript })
	script := firstFilled(scripts)
	if script == "" {
		return
	}
	code := "[pool.failover.shutdown]\n" +
		"program = " + quote("/etc/mpp/"+b.name+"-shutdown") + "  # chmod 0755:\n" +
		"    #!/bin/sh\n" +
		"    " + script + " --command=stop --host=\"$MPP_HOST\" --ip=\"$MPP_HOST\" --port=\"${MPP_NODE##*:}\" </dev/null\n" +
		"    case $? in 0|10) exit 0 ;; *) exit 1 ;; esac\n" +
		"timeout = \"10s\""
	b.leave("shutdown_script", b.fateOf["shutdown_script"].Note+" Such a program would be:", code)
}

// report shows what the hook would be that calls MHA's.
func (b *builder) report() {
	script := firstFilled(each(b, func(s *conf.Server) string { return s.ReportScript }))
	if script == "" {
		return
	}
	code := "[[pool.hook]]\n" +
		"name = \"report\"\n" +
		"program = " + quote("/etc/mpp/"+b.name+"-report") + "  # chmod 0755:\n" +
		"    #!/bin/sh\n" +
		"    " + script + " --orig_master_host=\"${MPP_OLD%:*}\" --new_master_host=\"${MPP_NEW%:*}\" --conf=" + b.conf.File + " \\\n" +
		"      --subject=\"$MPP_POOL: $MPP_KIND $MPP_OLD to $MPP_NEW: $MPP_OUTCOME\" --body=\"$MPP_REASON\" </dev/null\n" +
		"phases = [\"after-failover\"]"
	b.leave("report_script", b.fateOf["report_script"].Note+" One that calls this script would be:", code)
}

func firstFilled(list []string) string {
	for _, text := range list {
		if text != "" {
			return text
		}
	}
	return ""
}

// checkpoints makes the hosts of masterha_secondary_check checkpoints.
func (b *builder) checkpoints() {
	b.report()
	script := firstFilled(each(b, func(s *conf.Server) string { return s.SecondaryCheckScript }))
	if script == "" {
		return
	}
	c := parseSecondary(script)
	if !c.known {
		b.leave("secondary_check_script", script+" is not run: the replicas are the witnesses, and they are asked directly. What it asks besides can be a [[pool.checkpoint]].", "")
		return
	}
	b.carry("secondary_check_script")
	var witnesses []string
	for _, host := range c.hosts {
		if b.isNode(host) {
			witnesses = append(witnesses, host)
			continue
		}
		b.table("[[pool.checkpoint]]", "Where this cannot be reached either, MPP is the one that is cut off. ring says how far away it stands: \"internal\", \"edge\" or \"external\".")
		b.key("ring", quote("edge"), b.from("secondary_check_script"))
		b.key("kind", quote("tcp"), "")
		b.key("address", quote(join(host, cmp.Or(c.port, "22"))), "")
	}
	if len(witnesses) > 0 {
		b.leave("secondary_check_script", strings.Join(witnesses, ", ")+": a node is no checkpoint. Replicas are asked anyway whether they still hear the writer.", "")
	}
	if len(c.hosts) == 0 {
		b.leave("secondary_check_script", "It names no host with -s: MHA's program says then that the master is unreachable from everywhere. "+b.fateOf["secondary_check_script"].Note, "")
	}
}

func (b *builder) isNode(host string) bool {
	return slices.ContainsFunc(b.conf.Servers, func(s conf.Server) bool {
		return host == s.Hostname || host == s.IP || host == s.SSHHost
	})
}

// secondary is what a call of masterha_secondary_check says.
type secondary struct {
	// known says that it is a call of that program.
	known bool
	hosts []string
	port  string
}

func parseSecondary(command string) secondary {
	var c secondary
	words := strings.Fields(strings.NewReplacer(`"`, "", `'`, "").Replace(command))
	for i := 0; i < len(words); i++ {
		name, value, assigned := strings.Cut(words[i], "=")
		take := func() string {
			if !assigned && i+1 < len(words) {
				i++
				return words[i]
			}
			return value
		}
		switch {
		case path.Base(words[i]) == "masterha_secondary_check":
			c.known = true
		case name == "-s" || name == "--secondary_host":
			if host := take(); host != "" && !slices.Contains(c.hosts, host) {
				c.hosts = append(c.hosts, host)
			}
		case name == "--port":
			c.port = take()
		case strings.HasPrefix(name, "-s") && !assigned:
			c.hosts = append(c.hosts, name[2:])
		}
	}
	return c
}
