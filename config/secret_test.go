package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"
)

// password is what must never be seen.
const password = "hunter2-hunter2-hunter2"

func TestPasswordIsNeverPrinted(t *testing.T) {
	t.Setenv("MPP_TEST_PASSWORD", password)
	folder := t.TempDir()
	files{"token": password, "mpp.toml": `
[api]
listen = "127.0.0.1:9102"
token_file = "token"
[defaults]
account.password_env = "MPP_TEST_PASSWORD"
[[pool]]
name = "p"
node = [{ address = "a", type = "PRIMARY" }, { address = "b" }]
[[pool.checkpoint]]
ring = "edge"
kind = "mysql"
address = "c"
account.password_env = "MPP_TEST_PASSWORD"
[pool.failover.account]
password_env = "MPP_TEST_PASSWORD"
[pool.failover.replication]
user = "repl"
password_env = "MPP_TEST_PASSWORD"
`}.write(t, folder)
	c, err := Load(filepath.Join(folder, "mpp.toml"))
	if err != nil {
		t.Fatal(err)
	}
	if c.Pools[0].Nodes[1].Account.Password.Reveal() != password || c.API.Token.Reveal() != password || c.Pools[0].Checkpoints[0].Account.Password.Reveal() != password ||
		c.Pools[0].Failover.Account.Password.Reveal() != password || c.Pools[0].Failover.Replication.Password.Reveal() != password {
		t.Fatal("the secrets were not read")
	}
	type holder struct{ inner Config } // fmt cannot call methods below an unexported field
	var printed bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t"} {
		for _, what := range []any{c, *c, holder{*c}, c.API, c.API.Token, &c.API.Token, c.Pools[0].Nodes[0].Account, c.Pools[0].Failover, &c.Pools[0].Failover} {
			fmt.Fprintf(&printed, verb+"\n", what)
		}
	}
	whole, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	printed.Write(whole)
	log := zerolog.New(&printed)
	log.Info().Interface("config", c).Any("token", c.API.Token).Stringer("s", c.API.Token).Msg("loaded")
	printed.WriteString(cmp.Diff(Secret{}, c.API.Token))
	changed := *c
	changed.API.Token = NewSecret("another-token-another-token")
	printed.WriteString(strings.Join(Diff(c, &changed), "\n"))
	text := strings.ToLower(printed.String())
	for _, form := range []string{password, fmt.Sprintf("%x", password), "another-token"} {
		if strings.Contains(text, strings.ToLower(form)) {
			t.Errorf("printed: %s", form)
		}
	}
	if !strings.Contains(text, `"[secret]"`) {
		t.Error("the JSON does not say that there is a secret")
	}
}

func TestPasswordIsNotInProblems(t *testing.T) {
	t.Setenv("MPP_TEST_PASSWORD", password)
	for name, content := range map[string]string{
		"two lines":   password + "\n" + password + "\n",
		"open":        password,
		"short token": "hunter2",
		"no group":    "[mysql]\npassword=" + password,
		"password":    password,

		"a node's address": "root:" + password + "@db1:3306", "a node's URL": "mysql://root:" + password + "@db1:3306/",
		"api.listen": password + "@:1", "checkpoint.url": "http://u:" + password + "@%zz/", "checkpoint.address": password + "@x",

		"password_file": password, "password_env": password, "defaults_file": password, "no_password": password, "pasword": password,
		"password_file without quotes": password, "pasword without quotes": password, "no_password without quotes": "12" + password,
	} {
		folder := t.TempDir()
		text := misplaced(name, content)
		files{"mpp.toml": text + "[[pool]]\nname = \"p\"\nnode = [{ address = \"a\", type = \"PRIMARY\" }, { address = \"b\" }]\n", "secret": content, "token": "hunter2"}.write(t, folder)
		if name == "open" {
			if err := os.Chmod(filepath.Join(folder, "secret"), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		said, ok := CheckText(filepath.Join(folder, "mpp.toml"))
		if ok {
			t.Errorf("%s: it was taken", name)
		}
		if strings.Contains(said, "hunter2") {
			t.Errorf("%s: said: %s", name, said)
		}
	}
}

// misplaced is a configuration with a password where the name of the case says.
func misplaced(name, content string) string {
	quoted := strconv.Quote(content)
	account := "[defaults.account]\n"
	switch name {
	case "a node's address", "a node's URL":
		return "defaults.account.no_password = true\n[[pool]]\nname = \"q\"\nnode = [{ address = " + quoted + " }]\n"
	case "api.listen":
		return "[api]\nlisten = " + quoted + "\n"
	case "checkpoint.url":
		return "[[defaults.checkpoint]]\nring = \"edge\"\nkind = \"http\"\nurl = " + quoted + "\n"
	case "checkpoint.address":
		return "[[defaults.checkpoint]]\nring = \"edge\"\nkind = \"icmp\"\naddress = " + quoted + "\n"
	case "no group":
		return account + "defaults_file = \"secret\"\n"
	case "password", "pasword", "password_file", "password_env", "defaults_file", "no_password":
		return account + name + " = " + quoted + "\n"
	}
	if key, found := strings.CutSuffix(name, " without quotes"); found {
		return account + key + " = " + content + "\n"
	}
	return "[api]\nlisten = \"127.0.0.1:1\"\ntoken_file = \"token\"\n" + account + "password_file = \"secret\"\n"
}

func TestPasswordFilesAreReadAsTheyShould(t *testing.T) {
	for _, test := range []struct {
		name, key, content string
		mode               os.FileMode
		// want is "user:password", or the problem.
		want string
	}{
		{"plain", "password_file", "s3cret", 0o600, "mpp:s3cret"},
		{"line end", "password_file", "s3cret\n", 0o640, "mpp:s3cret"},
		{"line end of another system", "password_file", "s3cret\r\n", 0o400, "mpp:s3cret"},
		{"spaces belong to it", "password_file", " s3 cret \n", 0o600, "mpp: s3 cret "},
		{"empty", "password_file", "\n", 0o600, "F is empty; write the password there, or say no_password = true if the account has none"},
		{"two lines", "password_file", "a\n\n", 0o600, "F holds more than one line; leave nothing but the secret in it"},
		{"readable by all", "password_file", "s3cret", 0o644, "F is open to every user (mode 0644); run: chmod 0640 F"},
		{"writable by all", "password_file", "s3cret", 0o602, "F is open to every user (mode 0602); run: chmod 0600 F"},
		{"too large", "password_file", strings.Repeat("x", maxSecretFile+1), 0o600, "F is too large; use at most 64 KiB"},
		{"my.cnf", "defaults_file", "[client]\nuser=app\npassword=\"a#b\" # no\n[mpp]\nuser = watcher\n", 0o600, "watcher:a#b"},
		{"my.cnf of others", "defaults_file", "[mysqld]\nuser=mysql\n[mysql]\npassword=x\n", 0o600, "F has no password in [client] or [mpp]; write password=... into one of the two, or say user and no_password = true here instead"},
		{"my.cnf that asks", "defaults_file", "[client]\npassword\n", 0o600, "F has no password in [client] or [mpp]; write password=... into one of the two, or say user and no_password = true here instead"},
		{"my.cnf with an empty one", "defaults_file", "[client]\npassword=\n", 0o600, "the password in F is empty; write the password there, or say user and no_password = true here instead"},
		{"my.cnf readable by all", "defaults_file", "[client]\npassword=x\n", 0o644, "F is open to every user (mode 0644); run: chmod 0640 F"},
	} {
		t.Run(test.name, func(t *testing.T) {
			folder := t.TempDir()
			secret := filepath.Join(folder, "secret")
			files{"secret": test.content, "mpp.toml": "[defaults.account]\n" + test.key + " = \"secret\"\n[[pool]]\nname = \"p\"\nnode = [{ address = \"a\", type = \"PRIMARY\" }, { address = \"b\" }]\n"}.write(t, folder)
			if err := os.Chmod(secret, test.mode); err != nil {
				t.Fatal(err)
			}
			c, err := Load(filepath.Join(folder, "mpp.toml"))
			var got string
			if err != nil {
				got = strings.TrimPrefix(strings.ReplaceAll(err.Error(), secret, "F"), filepath.Join(folder, "mpp.toml")+":2: defaults.account."+test.key+": ")
			} else {
				a := c.Pools[0].Nodes[1].Account
				got = a.User + ":" + a.Password.Reveal()
			}
			if got != test.want {
				t.Errorf("got %s\nwant %s", got, test.want)
			}
		})
	}
}

func TestOptionFileIsReadLikeTheClientDoes(t *testing.T) {
	for value, want := range map[string]string{
		`plain`: "plain", ` spaced `: "spaced", `"a b"`: "a b", `'a"b'`: `a"b`, `a#b`: "a", `"a#b"#c`: "a#b", `a\sb\tc\\d`: "a b\tc\\d",
		`"a\"b"`: `a"b`, `a\qb`: `a\qb`, `'unclosed`: "'unclosed", ``: "", `a=b`: "a=b", `a\`: `a\`,
	} {
		l := parseMyCnf("# c\n; c\n!include x\n[ client ]\npassword = " + value + "\n[other]\npassword = no\nuser = no\n")
		if l.password != want || l.user != "" || !l.given {
			t.Errorf("%q was read as %q", value, l.password)
		}
	}
}

func TestTokenMustBeLong(t *testing.T) {
	_, said := loadFiles(t, files{"mpp.toml": "[api]\nlisten = \":1\"\ntoken_file = \"token\"\n" + minimal, "token": "short"}, "mpp.toml")
	if want := "mpp.toml:3: api.token_file: the token in token is too short; use at least 16, such as from: openssl rand -hex 32"; said != want {
		t.Errorf("said %s", said)
	}
}
