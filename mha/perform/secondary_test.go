package perform

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"mpp/mha/hook"
)

func TestWithoutWitnessesThereIsNoFailover(t *testing.T) {
	w := newWorld(t, "")
	for _, args := range [][]string{
		{"--master_host=db1", "--master_ip=127.0.0.2", "--master_port=1", "--user=root", "--master_user=mha", "--master_password=a;b", "--ping_type=SELECT"}, {"--pool=shop"},
	} {
		var out bytes.Buffer
		code := Secondary(t.Context(), System{Out: &out}, append([]string{"--config=" + filepath.Join(w.dir, "mpp.toml")}, args...))
		if code != hook.ExitBlind || !strings.Contains(out.String(), "no replica could say") {
			t.Errorf("exit code %d: %s", code, out.String())
		}
	}
	if code := Secondary(t.Context(), System{Out: &bytes.Buffer{}}, []string{"--config=/nowhere", "--pool=shop"}); code != hook.ExitBlind {
		t.Errorf("without a configuration the exit code is %d", code)
	}
}

func TestMHAGetsAccountsFromTheConfiguration(t *testing.T) {
	w := newWorld(t, "[pool.failover.replication]\nuser = \"repl\"\npassword_file = \"repl\"\n")
	w.write("repl", "with=sign\n", 0o600)
	var out, bad bytes.Buffer
	args := []string{"--config=" + filepath.Join(w.dir, "mpp.toml"), "--pool=shop"}
	if code := Load(System{Out: &out}, &bad, args); code != hook.ExitFailed || out.String() != "user=mpp\npassword=secret\nrepl_user=repl\n" || !strings.Contains(bad.String(), "repl_password of pool shop has a =") {
		t.Errorf("exit code %d, %q, %s", code, out.String(), bad.String())
	}
	if err := os.WriteFile(filepath.Join(w.dir, "repl"), []byte("plain\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	out.Reset()
	if code := Load(System{Out: &out}, &bad, args); code != 0 || out.String() != "user=mpp\npassword=secret\nrepl_user=repl\nrepl_password=plain\n" {
		t.Errorf("exit code %d, %q", code, out.String())
	}
}
