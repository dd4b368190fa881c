package mail_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"
	"github.com/google/go-cmp/cmp"

	"mpp/mha/mail"
)

// inbox is an SMTP server that keeps what it gets.
type inbox struct {
	mu       sync.Mutex
	got      []string // sender, receivers and text
	users    []string // who logged in
	password string
}

func (b *inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return &session{inbox: b}, nil }

type session struct {
	inbox    *inbox
	envelope string
	user     string
}

func (s *session) AuthMechanisms() []string {
	if s.inbox.password == "" {
		return nil
	}
	return []string{sasl.Plain}
}

func (s *session) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if password != s.inbox.password {
			return errors.New("wrong password")
		}
		s.user = user
		return nil
	}), nil
}

func (s *session) Mail(from string, _ *smtp.MailOptions) error {
	if s.inbox.password != "" && s.user == "" {
		return smtp.ErrAuthRequired
	}
	s.envelope = from
	return nil
}

func (s *session) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, Message: "there is no such person"}
	}
	s.envelope += " " + to
	return nil
}

func (s *session) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	s.inbox.mu.Lock()
	defer s.inbox.mu.Unlock()
	s.inbox.got = append(s.inbox.got, s.envelope+"\n"+string(text))
	s.inbox.users = append(s.inbox.users, s.user)
	return err
}

func (s *session) Reset()        {}
func (s *session) Logout() error { return nil }

// serve starts the server; ca is the file of its certificate, empty for a server without TLS.
func serve(t *testing.T, b *inbox, encrypted, atOnce bool) (address, ca string) {
	t.Helper()
	s := smtp.NewServer(b)
	s.Domain, s.ReadTimeout, s.WriteTimeout = "localhost", 10*time.Second, 10*time.Second
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if encrypted {
		s.TLSConfig, ca = certificate(t)
		if atOnce {
			l = tls.NewListener(l, s.TLSConfig)
		}
	}
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return l.Addr().String(), ca
}

func certificate(t *testing.T) (*tls.Config, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}, MinVersion: tls.VersionTLS12}, file
}

func message() mail.Message {
	return mail.Message{From: "mpp@manager.example", To: []string{"dba@example.com", "boss@example.com"}, Subject: "failover\nof shop: é", Body: "all is well\n.\nreally\n"}
}

func limited(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func TestAReportArrivesByEachKindOfServer(t *testing.T) {
	for name, c := range map[string]struct {
		encrypted, atOnce bool
		server            mail.Server
	}{
		"no TLS":           {false, false, mail.Server{}},
		"STARTTLS":         {true, false, mail.Server{TLS: mail.StartTLS, User: "mpp", Password: `p"\ é`}},
		"TLS from the 1st": {true, true, mail.Server{TLS: mail.Implicit, User: "mpp", Password: "x"}},
		"any certificate":  {true, false, mail.Server{}},
		"said to be none":  {true, false, mail.Server{TLS: mail.Plain}},
	} {
		t.Run(name, func(t *testing.T) {
			b := &inbox{password: c.server.Password}
			address, ca := serve(t, b, c.encrypted, c.atOnce)
			c.server.Address = address
			if c.server.User != "" {
				c.server.CA = ca
			}
			if err := mail.Send(limited(t), c.server, message()); err != nil {
				t.Fatal(err)
			}
			if len(b.got) != 1 || len(b.users) != 1 || b.users[0] != c.server.User {
				t.Fatalf("%d mails arrived, by users %q", len(b.got), b.users)
			}
			text := strings.ReplaceAll(b.got[0], "\r\n", "\n")
			for _, part := range []string{"mpp@manager.example dba@example.com boss@example.com\n", "Subject: =?UTF-8?q?failover_of_shop:_=C3=A9?=\n", "\n\nall is well\n.\nreally\n"} {
				if !strings.Contains(text, part) {
					t.Errorf("no %q in:\n%s", part, text)
				}
			}
		})
	}
}

func TestAPasswordIsNeverShownToTheNetworkNorInErrors(t *testing.T) {
	b := &inbox{password: "other"}
	address, ca := serve(t, b, true, false)
	plain, _ := serve(t, &inbox{}, false, false)
	got := map[string]bool{}
	for name, s := range map[string]mail.Server{
		"in the clear":      {Address: plain, TLS: mail.Plain, User: "mpp", Password: "my-secret"},
		"perhaps encrypted": {Address: address, TLS: mail.Opportunistic, User: "mpp", Password: "my-secret"},
		"no STARTTLS there": {Address: plain, User: "mpp", Password: "my-secret"},
		"not trusted":       {Address: address, User: "mpp", Password: "my-secret"},
		"wrong password":    {Address: address, CA: ca, User: "mpp", Password: "my-secret"},
	} {
		err := mail.Send(limited(t), s, message())
		got[name] = err != nil && !strings.Contains(err.Error(), "my-secret")
	}
	want := map[string]bool{"in the clear": true, "perhaps encrypted": true, "no STARTTLS there": true, "not trusted": true, "wrong password": true}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if len(b.got) > 0 {
		t.Errorf("a mail arrived: %q", b.got)
	}
}

func TestAServerThatSaysNothingIsGivenUp(t *testing.T) {
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	begin := time.Now()
	err = mail.Send(ctx, mail.Server{Address: l.Addr().String()}, message())
	if took := time.Since(begin); err == nil || took > 5*time.Second {
		t.Errorf("after %s: %v", took, err)
	}
}

func TestWhatIsWrongIsSaid(t *testing.T) {
	address, _ := serve(t, &inbox{}, false, false)
	bad := message()
	bad.To = []string{"nobody@example.com"}
	odd := message()
	odd.From = "no address"
	for want, f := range map[string]func() error{
		"there is no such person": func() error { return mail.Send(limited(t), mail.Server{Address: address}, bad) },
		`sender "no address"`:     func() error { return mail.Send(limited(t), mail.Server{Address: address}, odd) },
		"no mail server is named": func() error { return mail.Send(limited(t), mail.Server{}, message()) },
		`"loud" is none of`:       func() error { return mail.Send(limited(t), mail.Server{Address: address, TLS: "loud"}, message()) },
	} {
		if err := f(); err == nil || !strings.Contains(fmt.Sprint(err), want) {
			t.Errorf("want %q, got %v", want, err)
		}
	}
}
