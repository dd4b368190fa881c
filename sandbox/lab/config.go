package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// ConfigOptions are lines of TOML to add to the configuration that the lab writes, each
// where its name says. A table of your own goes to the End.
type ConfigOptions struct {
	// Top are keys of the daemon itself.
	Top string
	// Pool, Failover, Switchover, VIP and SSH are for every pool.
	Pool, Failover, Switchover, VIP, SSH string
	// Node returns the lines for one node; nil adds none.
	Node func(h *Host) string
	// End goes after all pools.
	End string
}

// ConfigFile is the configuration of the lab's mppd.
func (l *Lab) ConfigFile() string { return filepath.Join(l.dir, "mpp.toml") }

// Socket is where mppd answers.
func (l *Lab) Socket() string { return filepath.Join(l.runDir(), "mppd.sock") }

// StateDir is where mppd keeps its journal.
func (l *Lab) StateDir() string { return filepath.Join(l.dir, "state") }

// LogFile is where all that mppd has said goes.
func (l *Lab) LogFile() string { return filepath.Join(l.dir, "mppd.log") }

func (l *Lab) runDir() string { return filepath.Join(l.dir, "run") }

// WriteConfig writes the configuration of mppd, with its password files. Up has done so
// without additions; a running mppd takes the change with a reload or a restart.
func (l *Lab) WriteConfig(o ConfigOptions) error {
	if err := os.MkdirAll(filepath.Join(l.dir, "passwords"), 0o700); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	var b strings.Builder
	b.WriteString("# The lab's configuration. What is not here has its default: see docs/configuration.md.\n")
	fmt.Fprintf(&b, "state_dir = %q\nrun_dir = %q\n%s", l.StateDir(), l.runDir(), block(o.Top))
	for _, p := range l.Pools {
		if err := l.writePool(&b, p, o); err != nil {
			return err
		}
	}
	b.WriteString(block(o.End))
	if err := os.WriteFile(l.ConfigFile(), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write configuration: %w", err)
	}
	return nil
}

// serviceCommands are how a server is started and stopped on its host. A host's name is what follows
// the lab's in that of its namespace.
func serviceCommands(mpp, dir string) string {
	if mpp == "" {
		return ""
	}
	var b strings.Builder
	for _, verb := range []string{"start", "stop"} {
		fmt.Fprintf(&b, "%s_command = %q\n", verb, fmt.Sprintf(`'%s' lab %s --dir '%s' "$(ip netns identify | cut -d- -f3-)"`, mpp, verb, dir))
	}
	return b.String()
}

// block is some lines, ended as lines are.
func block(text string) string {
	text = strings.TrimSpace(text)
	if text == "" {
		return ""
	}
	return text + "\n"
}

// writePool adds one pool.
func (l *Lab) writePool(b *strings.Builder, p *Pool, o ConfigOptions) error {
	passwords := map[string]string{"monitor": p.Monitor.Password, "failover": p.Failover.Password, "repl": p.Repl.Password}
	files := map[string]string{}
	for role, password := range passwords {
		files[role] = filepath.Join(l.dir, "passwords", p.Name+"-"+role)
		if err := os.WriteFile(files[role], []byte(password+"\n"), 0o600); err != nil {
			return fmt.Errorf("write password file: %w", err)
		}
	}
	fmt.Fprintf(b, "\n[[pool]]\nname = %q\nengine = \"native\"\n%s", p.Name, block(o.Pool))
	fmt.Fprintf(b, "\n[pool.account]\nuser = %q\npassword_file = %q\n", p.Monitor.User, files["monitor"])
	if failover := block(o.Failover); failover != "" {
		fmt.Fprintf(b, "\n[pool.failover]\n%s", failover)
	}
	fmt.Fprintf(b, "\n[pool.failover.account]\nuser = %q\npassword_file = %q\n", p.Failover.User, files["failover"])
	fmt.Fprintf(b, "\n[pool.failover.replication]\nuser = %q\npassword_file = %q\n", p.Repl.User, files["repl"])
	if switchover := block(o.Switchover); switchover != "" {
		fmt.Fprintf(b, "\n[pool.switchover]\n%s", switchover)
	}
	addresses := make([]string, 0, 2)
	for _, a := range p.VIPs() {
		addresses = append(addresses, fmt.Sprintf("%q", a))
	}
	fmt.Fprintf(b, "\n[pool.vip]\nkind = \"metal\"\naddresses = [%s]\ninterface = %q\n%s", strings.Join(addresses, ", "), guestName, block(o.VIP))
	fmt.Fprintf(b, "\n[pool.ssh]\nuser = \"root\"\nkey_file = %q\nknown_hosts = %q\n%s", l.KeyFile(), l.KnownHosts(), block(o.SSH))
	for i, h := range p.Hosts {
		kind := "SECONDARY"
		if i == 0 {
			kind = "PRIMARY"
		}
		fmt.Fprintf(b, "\n[[pool.node]]\nname = %q\naddress = %q\ntype = %q\n", h.Name, h.server.Address(), kind)
		if o.Node != nil {
			b.WriteString(block(o.Node(h)))
		}
	}
	// A client's host shows the manager whether it is itself that is cut off.
	fmt.Fprintf(b, "\n[[pool.checkpoint]]\nname = \"client\"\nring = \"internal\"\nkind = \"icmp\"\naddress = %q\n", l.Clients()[0].Address)
	return nil
}
