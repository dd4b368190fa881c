package mpp_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// importRule says what the packages under a path may import of MPP.
type importRule struct {
	// path is the package; "publish/" with a slash means every package below.
	path string
	// may lists packages of MPP, "." for the root. A trailing slash allows all below.
	may    []string
	reason string
}

func importRules() []importRule {
	return []importRule{
		{".", nil, "the nouns know nobody, so that everybody can speak with them"},
		{"gtid", nil, "sets of transactions know nobody, as the nouns do"},
		{"state", []string{"."}, "one node's rules need only the nouns"},
		{"plan", []string{".", "gtid"}, "an operation is decided from nouns and positions"},
		{"pool", []string{".", "state", "plan"}, "the arbiter decides from nouns; I/O is somebody else's"},
		{"replay", []string{".", "pool", "state", "journal"}, "replay drives the core, from what the journal recorded"},
		{"sim", []string{".", "gtid", "plan", "pool", "state"}, "the model drives the core and nothing else"},
		{"config", []string{".", "config/", "fault", "secret"}, "configuration is values; the daemon maps them to each part's own"},
		{"replication", []string{"."}, "a dialect knows SQL, not who asks"},
		{"checks", []string{".", "replication", "link"}, "a check asks through a dialect, the only place that spells statements"},
		{"poller", []string{"."}, "when to poll has nothing to do with what is asked"},
		{"journal", []string{"."}, "the record keeps nouns"},
		{"lease", []string{".", "lease/"}, "who may act is independent of what is done"},
		{"publish/", []string{".", "publish/", "lease/lockfile"}, "what goes out is made of nouns; a folder of answers has one writer"},
		{"link", nil, "how a connection is made and encrypted is the same for everybody"},
		{"report", []string{"."}, "a report is nouns in a file"},
		{"action/", []string{".", "action/", "replication", "gtid", "link"}, "an action is told what to do and knows hosts and servers; who decided it, and why, is not its business"},
		{"sandbox", []string{"sandbox/"}, "real servers for tests and demo know nothing of MPP"},
		{"secret", nil, "who may not print a password need not know whose it is"},
		{"fault", nil, "what is wrong in a file is worded without knowing what the file is for"},
		{"mha/conf", []string{"fault", "secret"}, "MHA's files are values; what MPP makes of them is for those who ask"},
		{"mha/takeover", []string{"mha/conf", "mha/helperconf", "fault", "secret"}, "a configuration is made of configurations: no server is asked, no file written"},
		{"mha/helperconf", []string{"fault"}, "MHA Helper's files are values; the hooks and the import have them from here"},
		{"cli", []string{".", "replay", "pool", "state", "config", "journal", "publish/", "policy", "demo", "sandbox", "sandbox/lab", "mha/compat", "mha/conf", "fault", "mha/helperconf", "mha/hook", "mha/perform", "mha/takeover"}, "the command line is a client, and of the lab, too"},
		{"policy", []string{".", "config", "plan", "pool", "state"}, "it maps what is configured to what decides"},
		{"crew", []string{".", "action/", "config", "link"}, "it maps what is configured to what acts"},
		{"mha/compat", []string{"action/remote"}, "what makes MHA run is put on hosts, and knows nothing of pools"},
		{"mha/hook", []string{"."}, "what MHA's calls mean is decided from nouns, apart from acting"},
		{"mha/mail", nil, "who sends a mail need not know what it is about"},
		{"mha/perform", []string{".", "action/", "config", "crew", "link", "mha/helperconf", "mha/hook", "mha/mail", "replication"}, "MHA's hooks are a program of their own beside the daemon: this is where theirs connects configuration, decision and acting"},
		{"demo", []string{".", "publish/", "sandbox", "sandbox/lab"}, "the demo is a client with servers and hosts of its own"},
		{"sandbox/lab", []string{"sandbox", "sandbox/process"}, "hosts to try MPP on know nothing of MPP"},
	}
}

type listed struct {
	ImportPath string
	Imports    []string
}

func packages(t *testing.T) []listed {
	t.Helper()
	out, err := exec.Command("go", "list", "-json=ImportPath,Imports", "./...").Output()
	if err != nil {
		t.Fatalf("list packages: %v", err)
	}
	var all []listed
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, p)
	}
}

// local returns the path of a package inside MPP, "." for the root, "" for others.
func local(path string) string {
	if path == "mpp" {
		return "."
	}
	after, found := strings.CutPrefix(path, "mpp/")
	if !found {
		return ""
	}
	return after
}

func covers(pattern, path string) bool {
	if prefix, deep := strings.CutSuffix(pattern, "/"); deep {
		return path == prefix || strings.HasPrefix(path, pattern)
	}
	return pattern == path
}

func TestImportsPointOneWay(t *testing.T) {
	held := 0
	for _, p := range packages(t) {
		path := local(p.ImportPath)
		for _, rule := range importRules() {
			if !covers(rule.path, path) {
				continue
			}
			held++
			for _, imported := range p.Imports {
				to := local(imported)
				if to == "" || slices.ContainsFunc(rule.may, func(m string) bool { return covers(m, to) }) {
					continue
				}
				t.Errorf("%s imports %s: not allowed, because %s", path, to, rule.reason)
			}
		}
	}
	if held < len(importRules()) {
		t.Errorf("only %d packages were held against %d rules: a rule names a package that is not there", held, len(importRules()))
	}
}

func TestPurePackagesReachNothingOutside(t *testing.T) {
	outside := []string{"os", "net", "log", "database/sql", "syscall", "github.com/rs/zerolog"}
	for _, p := range packages(t) {
		path := local(p.ImportPath)
		if !slices.Contains([]string{".", "gtid", "state", "plan", "pool", "replay", "sim", "policy", "mha/hook"}, path) {
			continue
		}
		for _, imported := range p.Imports {
			for _, bad := range outside {
				if imported == bad || strings.HasPrefix(imported, bad+"/") {
					t.Errorf("%s imports %s: pure packages read no file, socket or log", path, imported)
				}
			}
		}
	}
}

func TestTheBalancersCheckIsLight(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./cmd/mpp-check").Output()
	if err != nil {
		t.Fatalf("list what mpp-check imports: %v", err)
	}
	for _, heavy := range []string{"database/sql", "crypto/tls", "net/http", "github.com/spf13/cobra", "github.com/go-sql-driver/mysql"} {
		if slices.Contains(strings.Split(string(out), "\n"), heavy) {
			t.Errorf("mpp-check imports %s: a load balancer starts it every second", heavy)
		}
	}
}
