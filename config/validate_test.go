package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

func TestConfigurationBuiltInCodeValidates(t *testing.T) {
	c := Default()
	p := c.Defaults
	p.Name = "p"
	p.Account.NoPassword = true
	p.Nodes = []Node{
		{Address: "a:3306", Type: mpp.Primary, NodeSettings: p.NodeSettings},
		{Address: "b:3306", Type: mpp.Secondary, NodeSettings: p.NodeSettings},
	}
	c.Pools = []Pool{p}
	if problems, _ := c.Validate(); len(problems) > 0 {
		t.Errorf("problems: %v", problems)
	}
	c.Pools[0].Timeout = 2 * time.Second
	c.Pools[0].Nodes[1].Type = "OTHER"
	c.Pools[0].Checks.Custom = []CustomCheck{{Name: "c", SQL: "SELECT 1", Compare: "row", Class: mpp.Reach, Timeout: time.Second}}
	c.API.SocketMode |= os.ModeSetuid
	problems, _ := c.Validate()
	var got []string
	for _, problem := range problems {
		got = append(got, problem.String())
	}
	want := []string{
		`api.socket_mode: 040000660 holds more than permissions; write four octal digits, such as "0660"`,
		`pool.p.checks.custom.c.status: OK is not known here; write "INFO", "WARN", "CRITICAL" or "FAIL"`,
		`pool.p.node.b:3306.type: "OTHER" is not known here; write "PRIMARY" or "SECONDARY"`,
		`pool.p.timeout: the timeout of 2s is not shorter than the interval of 1s: a poll would last into the next (interval is the default); make the timeout shorter, or the interval longer`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}

// writeKeyPair makes a certificate with its key.
func writeKeyPair(t *testing.T, folder, name string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	files{
		name + ".pem": string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert})),
		name + ".key": string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})),
	}.write(t, folder)
}

func TestClientCertificatesAreTriedBeforeTheyAreNeeded(t *testing.T) {
	folder := t.TempDir()
	writeKeyPair(t, folder, "one")
	writeKeyPair(t, folder, "two")
	files{"not.pem": "hello", "open.key": read(t, filepath.Join(folder, "one.key"))}.write(t, folder)
	if err := os.Chmod(filepath.Join(folder, "open.key"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ tls, want string }{
		{`cert = "one.pem", key = "one.key", ca = "one.pem", mode = "verify_ca"`, ``},
		{`cert = "one.pem", key = "two.key"`, `cert: certificate F/one.pem and key F/two.key do not work: private key does not match public key; name PEM files that belong together`},
		{`cert = "one.pem", key = "open.key"`, `key: F/open.key is open to every user (mode 0644); run: chmod 0640 F/open.key`},
		{`cert = "one.pem", key = "none.key"`, `key: cannot open the file that it names: it does not exist; create it, or mend its name (a relative one counts from the folder of this file), and let the user that mppd runs as read it`},
		{`cert = "none.pem", key = "one.key"`, `cert: cannot open F/none.pem: it does not exist; create it, or mend its name, and let the user that mppd runs as read it`},
		{`ca = "not.pem", mode = "verify_ca"`, `ca: F/not.pem holds no certificate; name a PEM file`},
	} {
		path := filepath.Join(folder, "mpp.toml")
		files{"mpp.toml": fmt.Sprintf("[defaults]\ntls = { %s }\n", test.tls) + strings.TrimPrefix(minimal, "\n")}.write(t, folder)
		got := ""
		if _, err := Load(path); err != nil {
			got = strings.TrimPrefix(strings.ReplaceAll(err.Error(), folder, "F"), "F/mpp.toml:2: defaults.tls.")
		}
		if got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.tls, got, test.want)
		}
	}
}

func TestProblemsAreSortedAndToldOnce(t *testing.T) {
	list := []Problem{{File: "b", Line: 1, Text: "x"}, {File: "a", Line: 10, Text: "x"}, {File: "a", Line: 9, Text: "x"}, {File: "a", Line: 10, Text: "x"}}
	want := []Problem{{File: "a", Line: 9, Text: "x"}, {File: "a", Line: 10, Text: "x"}, {File: "b", Line: 1, Text: "x"}}
	if diff := cmp.Diff(want, tidy(list, []string{"a", "b"})); diff != "" {
		t.Errorf("problems (-want +got):\n%s", diff)
	}
}
