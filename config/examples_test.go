package config

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// copyExamples copies the configurations in examples/ with the secrets that they name, and
// lists what can be loaded: files, and conf.d as a whole.
func copyExamples(t *testing.T) (folder string, names []string) {
	t.Helper()
	t.Setenv("MPP_PASSWORD", "one")
	t.Setenv("MPP_BILLING_PASSWORD", "other")
	folder = t.TempDir()
	files{
		"password": "s3cret\n", "token": strings.Repeat("a", 32), "ca.pem": read(t, "testdata/ca.pem"),
		"my.cnf": "[client]\nuser=mpp\npassword=s3cret\n", "failover-password": "s3cret\n", "repl-password": "s3cret\n",
		"id_ed25519": sshKey(t, ""), "known_hosts": knownHosts(t, "10.0.0.1", "10.0.0.2", "[db3-admin.example.com]:2222"),
	}.write(t, folder)
	err := filepath.WalkDir("../examples", func(path string, e fs.DirEntry, err error) error {
		name, _ := filepath.Rel("../examples", path)
		if err != nil || e.IsDir() || filepath.Ext(name) != ".toml" {
			return err
		}
		files{name: read(t, path)}.write(t, folder)
		if top := strings.Split(name, string(filepath.Separator))[0]; !slices.Contains(names, top) {
			names = append(names, top)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder, names
}

func TestEveryExampleIsTakenWithoutWarnings(t *testing.T) {
	folder, names := copyExamples(t)
	want := map[string]string{
		"mpp.toml": "ok: 1 pool, 3 nodes\n", "minimal.toml": "warning: F/minimal.toml:6: pool.orders.checkpoint: the pool has no checkpoints: MPP cannot tell that it is cut off itself; add a [[pool.checkpoint]], such as the gateway\nok: 1 pool, 2 nodes\n",
		"conf.d": "ok: 2 pools, 5 nodes\n", "galera.toml": "ok: 1 pool, 3 nodes\n", "group-replication.toml": "ok: 1 pool, 3 nodes\n", "checkpoints.toml": "ok: 2 pools, 4 nodes\n",
		"native.toml":    "ok: 1 pool, 3 nodes\n",
		"mha-hooks.toml": hooksWarnings() + "ok: 1 pool, 2 nodes\n",
	}
	got := map[string]string{}
	for _, name := range names {
		text, _ := CheckText(filepath.Join(folder, name))
		got[name] = strings.ReplaceAll(text, folder, "F")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("what is said (-want +got):\n%s", diff)
	}
}

// hooksWarnings is what is said of an example that is for MHA's hooks: mppd itself does nothing of it.
func hooksWarnings() string {
	var b strings.Builder
	for _, key := range []string{"17: pool.shop.failover.fence", "21: pool.shop.switchover.kill_after", "24: pool.shop.vip.kind", "29: pool.shop.ssh.key_file"} {
		table := strings.Split(key, ".")[2]
		fmt.Fprintf(&b, "warning: F/mha-hooks.toml:%s: it has no effect with engine = \"none\", nor has anything else in %s; write engine = \"native\", or take it out; MHA's hooks (mpp mha hook) use it all the same\n", key, table)
	}
	return b.String()
}

func TestReferenceInDocsIsThatOfTheCode(t *testing.T) {
	if diff := cmp.Diff(Reference(), read(t, "../docs/configuration.md")); diff != "" {
		t.Errorf("docs/configuration.md is stale: run go generate ./config\n%s", diff)
	}
}

func TestSampleInReferenceHoldsTheDefaults(t *testing.T) {
	text := strings.NewReplacer(`"/etc/mpp/password"`, `"password"`, `"/etc/mpp/hooks/chat"`, `"/bin/true"`).Replace(Sample())
	c, problems := loadFiles(t, files{"mpp.toml": text, "password": "x"}, "mpp.toml")
	if problems != "" {
		t.Fatal(problems)
	}
	d := &differ{}
	diffRows(d, "", topRows(), pair[Config]{Default(), c})
	want := defaultPool()
	diffRows(d, "defaults.", poolRows(), pair[Pool]{&want, &c.Defaults})
	if len(d.lines) > 1 || !strings.HasPrefix(d.lines[0], "defaults.account.user") {
		t.Errorf("the sample sets something else than the defaults: %v", d.lines)
	}
}

// oneKey is a file that sets one key of a section.
func oneKey[T any](header string, r row[T], value string) string {
	return header + "\n" + r.path + " = " + value + "\n"
}

// TestEveryKeyCanBeSet writes each key's default, and its example, into a file of its own.
func TestEveryKeyCanBeSet(t *testing.T) {
	top, pool, node, point, custom, hook := Default(), defaultPool(), defaultNode(), defaultCheckpoint(), defaultCustom(), defaultHook()
	tryKeys(t, "", topRows(), top)
	tryKeys(t, "[defaults]", poolRows(), &pool)
	tryKeys(t, "[[pool]]", poolSection().rows, &pool)
	tryKeys(t, "[[pool]]\n[[pool.node]]", nodeRows(), &node)
	tryKeys(t, "[[pool]]\n[[pool.checkpoint]]", checkpointRows(), &point)
	tryKeys(t, "[[pool]]\n[[pool.checks.custom]]", customRows(), &custom)
	tryKeys(t, "[[pool]]\n[[pool.hook]]", hookRows(), &hook)
}

func tryKeys[T any](t *testing.T, header string, rows []row[T], of *T) {
	t.Helper()
	for _, r := range rows {
		v := r.bind(of)
		if r.doc == "" || !strings.HasSuffix(r.doc, ".") {
			t.Errorf("%s %s: its text is no sentence: %q", header, r.path, r.doc)
		}
		for _, text := range []string{v.toml(), r.example} {
			if text == "" {
				continue
			}
			raw, m, problem := parse("f", oneKey(header, r, text))
			if problem != nil {
				t.Errorf("%s %s = %s: %s", header, r.path, text, problem)
				continue
			}
			l := &loader{config: Default()}
			in := input{file: "f", raw: raw, mark: m}
			l.decodeTop(l.config, in)
			l.decodePools(l.config, in)
			if len(l.problems) > 0 {
				t.Errorf("%s %s = %s: %v", header, r.path, text, l.problems)
			}
			if text == r.example && text == v.toml() && r.usually == "" {
				t.Errorf("%s %s: the example is the default", header, r.path)
			}
		}
	}
}

func TestEveryTableHasAHeadingAndNoOtherHas(t *testing.T) {
	check := func(section string, paths []string, tables []table) {
		want, got := map[string]bool{}, map[string]bool{}
		for _, path := range paths {
			want[row[any]{path: path}.table()] = true
		}
		for _, one := range tables {
			got[one.path] = true
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("tables of %s (-in keys +in headings):\n%s", section, diff)
		}
	}
	check("the top", paths(topRows()), topTables())
	check("pools", paths(poolRows()), poolTables())
}

func TestExampleFoldersHoldNoSecret(t *testing.T) {
	err := filepath.WalkDir("../examples", func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() && strings.Contains(path, "password") {
			t.Errorf("%s is a password file", path)
		}
		return err
	})
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
}
