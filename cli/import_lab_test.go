package cli

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
)

// importedLab is a lab whose mppd has a configuration that was made of MHA's.
type importedLab struct {
	*lab.Lab
	t    *testing.T
	bin  string
	vip  netip.Addr
	dir  string
	pool *lab.Pool
}

func newImportedLab(t *testing.T) *importedLab {
	t.Helper()
	l := &importedLab{Lab: labtest.Up(t, lab.Options{}), t: t, bin: t.TempDir(), dir: t.TempDir()}
	l.pool = l.Pools[0]
	l.vip = l.pool.VIPs()[0].Addr()
	for _, program := range []string{"mpp", "mppd"} {
		out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(l.bin, program), "mpp/cmd/"+program).CombinedOutput()
		if err != nil {
			t.Fatalf("build %s: %v\n%s", program, err, out)
		}
	}
	for _, statement := range []string{"CREATE USER mha IDENTIFIED BY 'mha-s3cret'", "GRANT ALL ON *.* TO mha WITH GRANT OPTION"} {
		if _, err := l.pool.Servers[0].Root().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.pool.CatchUp(t.Context(), l.pool.Servers[0]); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *importedLab) write(name, text string) {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// writeMHA writes what MHA and MHA Helper would have been told.
func (l *importedLab) writeMHA() {
	l.t.Helper()
	app := "[server default]\nuser = mha\npassword = \"mha-s3cret\"\n" +
		fmt.Sprintf("repl_user = %s\nrepl_password = %s\n", l.pool.Repl.User, l.pool.Repl.Password) +
		fmt.Sprintf("ssh_user = root\nssh_options = '-i %s -o UserKnownHostsFile=%s'\n", l.KeyFile(), l.KnownHosts()) +
		"ping_interval = 1\nmaster_ip_failover_script = /usr/bin/master_ip_hard_failover_helper\n" +
		fmt.Sprintf("secondary_check_script = masterha_secondary_check -s %s -s %s\n", l.Clients()[0].Address, l.pool.Hosts[1].Address)
	helper := fmt.Sprintf("[default]\nvip_type = metal\nwriter_vip_cidr = %s/24\ncluster_interface = eth0\nrequires_sudo = no\nkill_after_timeout = 1\n", l.vip)
	for i, h := range l.pool.Hosts {
		app += fmt.Sprintf("[server%d]\nhostname = %s\nnode_label = %s\n", i+1, h.Address, h.Name)
		if i < 2 {
			app += "candidate_master = 1\n"
		}
		helper += fmt.Sprintf("[%s]\n", h.Address)
	}
	l.write("app.cnf", app)
	l.write("mha-helper/app.conf", helper)
}

// mpp runs the real program on the manager's host; it must end well.
func (l *importedLab) mpp(words ...string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	cmd := l.Manager().Command(ctx, append([]string{filepath.Join(l.bin, "mpp")}, words...)...)
	out, err := cmd.Output()
	var ended *exec.ExitError
	if errors.As(err, &ended) {
		l.t.Fatalf("mpp %s: exit code %d\n%s%s", strings.Join(words, " "), ended.ExitCode(), out, ended.Stderr)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	return string(out)
}

// takeOver puts the imported configuration in the place of the lab's.
func (l *importedLab) takeOver() {
	l.t.Helper()
	text := l.mpp("import", "mha", l.dir+"/app.cnf", "--helper", l.dir+"/mha-helper", "--passwords", l.dir)
	l.t.Log(text)
	// What the list at the top asks for when doctor has found nothing; and where this mppd lives.
	text = strings.Replace(text, `mode = "manual"`, `mode = "auto"`, 1)
	text = fmt.Sprintf("state_dir = %q\nrun_dir = %q\n", l.StateDir(), filepath.Dir(l.Socket())) + text
	if err := os.WriteFile(l.ConfigFile(), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
	if said := l.mpp("config", "check", l.ConfigFile()); !strings.Contains(said, "OK: 1 pool, 3 nodes\n") {
		l.t.Errorf("config check:\n%s", said)
	}
	if err := l.StartMppd(l.t.Context(), filepath.Join(l.bin, "mppd")); err != nil {
		l.t.Fatal(err)
	}
}

// writer waits until a host is the one that takes writes and has the address, as MPP puts it.
func (l *importedLab) writer(h *lab.Host) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), 30*time.Second)
	defer cancel()
	err := sandbox.Eventually(ctx, 20*time.Millisecond, func(ctx context.Context) error {
		readOnly := true
		if err := h.Server().Root().QueryRowContext(ctx, "SELECT @@read_only").Scan(&readOnly); err != nil {
			return err
		}
		there, err := h.Exec(ctx, "ip", "-o", "addr", "show", "dev", "eth0")
		switch {
		case err != nil:
			return err
		case readOnly:
			return fmt.Errorf("%s is read-only", h)
		case !strings.Contains(there, l.vip.String()+"/32"):
			return fmt.Errorf("%s has not the address:\n%s", h, there)
		}
		return nil
	})
	if err != nil {
		l.t.Fatalf("%v\n%s", err, l.mpp("status", "--socket", l.Socket()))
	}
}

// replicatesNot sees to it that a server replicates from nobody.
func (l *importedLab) replicatesNot(h *lab.Host) {
	l.t.Helper()
	rows, err := h.Server().Root().QueryContext(l.t.Context(), "SHOW ALL SLAVES STATUS")
	if err != nil {
		l.t.Fatal(err)
	}
	defer func() { _ = rows.Close() }()
	if rows.Next() {
		l.t.Errorf("%s still replicates", h)
	}
	if err := rows.Err(); err != nil {
		l.t.Error(err)
	}
}

// TestImportedPoolIsCarriedOver has what was made of MHA's configuration do what MHA was there
// for: a diagnosis without a fault, a planned change of the writer, and a failover.
func TestImportedPoolIsCarriedOver(t *testing.T) {
	for name, masters := range map[string]bool{"one master": false, "two masters": true} {
		t.Run(name, func(t *testing.T) { carriedOver(t, masters) })
	}
}

func carriedOver(t *testing.T, masters bool) {
	t.Helper()
	l := newImportedLab(t)
	one, two := l.pool.Hosts[0], l.pool.Hosts[1]
	if masters {
		for _, statement := range []string{
			fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=3306, MASTER_USER='%s', MASTER_PASSWORD='%s', MASTER_USE_GTID=slave_pos", two.Address, l.pool.Repl.User, l.pool.Repl.Password),
			"START SLAVE",
		} {
			if _, err := one.Server().Root().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, words := range [][]string{ // as MHA Helper puts it
		{"ip", "addr", "replace", l.vip.String() + "/24", "dev", "eth0"},
		{"ip", "addr", "delete", l.vip.String() + "/32", "dev", "eth0"},
	} {
		if out, err := one.Exec(t.Context(), words...); err != nil {
			t.Fatalf("%v: %v\n%s", words, err, out)
		}
	}
	l.writeMHA()
	l.takeOver()
	if masters { // as the list at the top says
		for _, statement := range []string{"STOP SLAVE", "RESET SLAVE ALL"} {
			if _, err := one.Server().Root().ExecContext(t.Context(), statement); err != nil {
				t.Fatal(err)
			}
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ready := func(context.Context) error {
		cmd := l.Manager().Command(ctx, filepath.Join(l.bin, "mpp"), "readiness", "app", "--socket", l.Socket())
		out, err := cmd.CombinedOutput()
		if err != nil {
			return fmt.Errorf("%w\n%s", err, out)
		}
		return nil
	}
	if err := sandbox.Eventually(ctx, 100*time.Millisecond, ready); err != nil {
		t.Fatal(err)
	}
	t.Log(l.mpp("doctor", "app", "--socket", l.Socket()))
	t.Log(l.mpp("switchover", "app", "--to", two.Name, "--socket", l.Socket()))
	l.writer(two)
	l.replicatesNot(two)
	if err := sandbox.Eventually(ctx, 100*time.Millisecond, ready); err != nil {
		t.Fatal(err)
	}
	if err := two.Kill(); err != nil {
		t.Fatal(err)
	}
	l.writer(one)
	l.replicatesNot(one)
}
