package checks_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mpp"
	"mpp/checks"
	"mpp/link"
	"mpp/sandbox"
)

// authority makes certificates for a test and keeps them in files.
type authority struct {
	t    *testing.T
	dir  string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, dir: t.TempDir()}
	if err := os.Chmod(a.dir, 0o755); err != nil {
		t.Fatal(err)
	}
	a.cert, a.key = a.issue("ca", &x509.Certificate{IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign})
	return a
}

func (a *authority) path(name string) string { return filepath.Join(a.dir, name) }

// issue makes name.pem and name.key.
func (a *authority) issue(name string, c *x509.Certificate) (*x509.Certificate, *ecdsa.PrivateKey) {
	a.t.Helper()
	must := func(err error) {
		if err != nil {
			a.t.Fatal(err)
		}
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(err)
	c.SerialNumber, c.Subject = big.NewInt(time.Now().UnixNano()), pkix.Name{CommonName: name}
	c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	parent, signer := a.cert, a.key
	if parent == nil {
		parent, signer = c, key
	}
	der, err := x509.CreateCertificate(rand.Reader, c, parent, &key.PublicKey, signer)
	must(err)
	made, err := x509.ParseCertificate(der)
	must(err)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	must(err)
	must(os.WriteFile(a.path(name+".pem"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644))
	must(os.WriteFile(a.path(name+".key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}), 0o644))
	return made, key
}

func TestTLSModesTrustWhatTheySay(t *testing.T) {
	ours, theirs := newAuthority(t), newAuthority(t)
	ours.issue("server", &x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	ours.issue("elsewhere", &x509.Certificate{DNSNames: []string{"elsewhere.example"}})
	ours.issue("client", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}})
	for _, c := range []struct {
		server string // its certificate; "" for none
		tls    link.TLS
		want   want
	}{
		{"server", link.TLS{Mode: link.TLSDisabled}, want{check: "connect"}},
		{"server", link.TLS{}, want{check: "connect"}},
		{"server", link.TLS{Mode: link.TLSRequired}, want{check: "connect"}},
		{"server", link.TLS{Mode: link.TLSVerifyCA, CA: ours.path("ca.pem")}, want{check: "connect"}},
		{"server", link.TLS{Mode: link.TLSVerifyIdentity, CA: ours.path("ca.pem"), Cert: ours.path("client.pem"), Key: ours.path("client.key")}, want{check: "connect"}},
		{"server", link.TLS{Mode: link.TLSVerifyCA, CA: theirs.path("ca.pem")}, want{"connect", mpp.Critical, mpp.KindTLS, "TLS handshake failed: "}},
		{"elsewhere", link.TLS{Mode: link.TLSVerifyCA, CA: ours.path("ca.pem")}, want{check: "connect"}},
		{"elsewhere", link.TLS{Mode: link.TLSVerifyIdentity, CA: ours.path("ca.pem")}, want{"connect", mpp.Critical, mpp.KindTLS, "TLS handshake failed: "}},
		{"elsewhere", link.TLS{Mode: link.TLSVerifyIdentity, CA: ours.path("ca.pem"), ServerName: "elsewhere.example"}, want{check: "connect"}},
		{"", link.TLS{Mode: link.TLSPreferred}, want{check: "connect"}},
		{"", link.TLS{Mode: link.TLSRequired}, want{"connect", mpp.Critical, mpp.KindTLS, "does not support TLS"}},
	} {
		t.Run(c.server+" "+string(c.tls.Mode), func(t *testing.T) {
			var args []string
			if c.server != "" {
				args = []string{"--ssl-cert=" + ours.path(c.server+".pem"), "--ssl-key=" + ours.path(c.server+".key"), "--ssl-ca=" + ours.path("ca.pem")}
			}
			pool := startPool(t, sandbox.MariaDB1011, 1, args...)
			s := pool.Servers[0]
			opt := options(pool, s)
			opt.TLS = c.tls
			opt.LoginInterval = 0
			p := prober(t, opt)
			for range 2 {
				o := poll(t, p, mpp.Ask{Active: true})
				expect(t, o, c.want)
				if !o.Answered || o.Verdict().Failed != "" {
					t.Errorf("a certificate that is not trusted is no failure of the server: %s", show(o))
				}
			}
		})
	}
}

func TestTLSFilesThatCannotBeUsedAreNamed(t *testing.T) {
	a := newAuthority(t)
	if err := os.WriteFile(a.path("empty"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []link.TLS{
		{Mode: link.TLSVerifyCA, CA: a.path("nowhere")},
		{Mode: link.TLSVerifyCA, CA: a.path("empty")},
		{Mode: link.TLSRequired, Cert: a.path("ca.pem")},
		{Mode: "perhaps"},
	} {
		opt := checks.Default()
		opt.Address, opt.User, opt.TLS = "127.0.0.1:3306", "mpp", c
		if _, err := checks.New(opt); err == nil {
			t.Errorf("%+v was taken", c)
		}
	}
}
