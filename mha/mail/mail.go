// Package mail sends a report by SMTP.
//
// Who owns what: nothing outlives Send. A password goes to the server by an encrypted connection
// only, and is in no error. What may block: Send, until its context ends. To test with it, give it
// an SMTP server of your own; see the tests.
package mail

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

// TLS says how the connection to the mail server is encrypted.
type TLS string

// The ways to encrypt.
const (
	// Opportunistic encrypts where the server offers STARTTLS, and trusts any certificate, as mail
	// servers do among one another. It is the default without a user.
	Opportunistic TLS = "opportunistic"
	// StartTLS encrypts by STARTTLS or fails, and verifies the certificate. It is the default with a
	// user.
	StartTLS TLS = "starttls"
	// Implicit encrypts from the first byte, as on port 465, and verifies the certificate.
	Implicit TLS = "tls"
	// Plain does not encrypt.
	Plain TLS = "none"
)

// Server is a mail server.
type Server struct {
	// Address is a name or address with or without a port; without one it is 25, 587 with a user, 465
	// with Implicit.
	Address string
	TLS     TLS
	// CA is a PEM file with the authorities to trust; empty means the system's.
	CA string
	// User and Password log in; an empty user does not.
	User, Password string
}

// Message is what is sent.
type Message struct {
	From          string
	To            []string
	Subject, Body string
}

// errPlainPassword refuses to show a password to the network.
var errPlainPassword = errors.New("a password is sent by an encrypted connection only: say starttls or tls")

// Send sends a message. It is done when the server has taken it for all who are to get it.
func Send(ctx context.Context, s Server, m Message) error {
	if err := send(ctx, s, m); err != nil {
		return fmt.Errorf("send mail by %s: %w", s.Address, err)
	}
	return nil
}

func send(ctx context.Context, s Server, m Message) error {
	msg := gomail.NewMsg()
	if err := msg.From(m.From); err != nil {
		return fmt.Errorf("sender %q: %w", m.From, err)
	}
	if err := msg.To(m.To...); err != nil {
		return fmt.Errorf("receivers %q: %w", m.To, err)
	}
	msg.Subject(strings.Join(strings.Fields(m.Subject), " "))
	msg.SetDate()
	msg.SetMessageID()
	msg.SetBodyString(gomail.TypeTextPlain, m.Body)
	host, options, err := s.options(ctx)
	if err != nil {
		return err
	}
	client, err := gomail.NewClient(host, options...)
	if err != nil {
		return err
	}
	return client.DialAndSendWithContext(ctx, msg)
}

// options are how the server is spoken to.
func (s Server) options(ctx context.Context) (host string, all []gomail.Option, err error) {
	mode := s.mode()
	if s.User != "" && (mode == Plain || mode == Opportunistic) {
		return "", nil, errPlainPassword
	}
	host, port, err := s.split(mode)
	if err != nil {
		return "", nil, err
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if s.CA != "" {
		pem, err := os.ReadFile(s.CA)
		if err != nil {
			return "", nil, fmt.Errorf("read ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return "", nil, fmt.Errorf("read ca %s: no certificate in it", s.CA)
		}
	}
	all = []gomail.Option{gomail.WithPort(port), gomail.WithTLSConfig(config)}
	if end, has := ctx.Deadline(); has {
		all = append(all, gomail.WithTimeout(time.Until(end)))
	}
	switch mode {
	case Implicit:
		all = append(all, gomail.WithSSL())
	case StartTLS:
		all = append(all, gomail.WithTLSPolicy(gomail.TLSMandatory))
	case Opportunistic:
		config.InsecureSkipVerify = true //nolint:gosec // in the clear otherwise
		all = append(all, gomail.WithTLSPolicy(gomail.TLSOpportunistic))
	case Plain:
		all = append(all, gomail.WithTLSPolicy(gomail.NoTLS))
	default:
		return "", nil, fmt.Errorf("%q is none of %s, %s, %s, %s", mode, Opportunistic, StartTLS, Implicit, Plain)
	}
	if s.User != "" {
		all = append(all, gomail.WithSMTPAuth(gomail.SMTPAuthAutoDiscover), gomail.WithUsername(s.User), gomail.WithPassword(s.Password))
	}
	return host, all, nil
}

func (s Server) mode() TLS {
	switch {
	case s.TLS != "":
		return s.TLS
	case s.User != "":
		return StartTLS
	default:
		return Opportunistic
	}
}

// The ports of mail servers: for other servers, for who logs in, and for who encrypts at once.
const (
	portRelay    = 25
	portSubmit   = 587
	portImplicit = 465
)

// split takes the address apart.
func (s Server) split(mode TLS) (host string, port int, err error) {
	if host, text, err := net.SplitHostPort(s.Address); err == nil {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return "", 0, fmt.Errorf("port of %q: %w", s.Address, err)
		}
		return host, int(n), nil
	}
	host = strings.Trim(s.Address, "[]")
	switch {
	case host == "":
		return "", 0, errors.New("no mail server is named")
	case mode == Implicit:
		return host, portImplicit, nil
	case s.User != "":
		return host, portSubmit, nil
	default:
		return host, portRelay, nil
	}
}
