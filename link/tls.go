package link

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// TLSMode says how much a connection is protected.
type TLSMode string

// The modes, the weakest first. The empty mode is TLSPreferred.
const (
	// TLSDisabled never encrypts.
	TLSDisabled TLSMode = "disabled"
	// TLSPreferred encrypts where the server can, and trusts any certificate.
	TLSPreferred TLSMode = "preferred"
	// TLSRequired always encrypts, and trusts any certificate.
	TLSRequired TLSMode = "required"
	// TLSVerifyCA trusts a certificate that CA signed, whatever name it has.
	TLSVerifyCA TLSMode = "verify_ca"
	// TLSVerifyIdentity wants the certificate to have the node's host name, too.
	TLSVerifyIdentity TLSMode = "verify_identity"
)

// TLS says how a connection is encrypted. The files are PEM, and read once, by New.
type TLS struct {
	Mode TLSMode
	// CA is a file with the certificates to trust; empty means the system's.
	CA string
	// Cert and Key are files with this client's own certificate; empty means none.
	Cert string
	Key  string
	// ServerName is the name that the certificate must have; empty means the node's host.
	ServerName string
}

// Config makes the driver's configuration; nil means no TLS. address is the node's.
func (t TLS) Config(address string) (*tls.Config, error) {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil, fmt.Errorf("configure TLS: %w", err)
	}
	if t.ServerName != "" {
		host = t.ServerName
	}
	c := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, fmt.Errorf("read TLS ca: %w", err)
		}
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("read TLS ca %s: no certificate in it", t.CA)
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, fmt.Errorf("read TLS cert %q and key %q: %w", t.Cert, t.Key, err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	switch t.Mode {
	case TLSDisabled:
		return nil, nil
	case "", TLSPreferred, TLSRequired:
		c.InsecureSkipVerify = true
	case TLSVerifyCA:
		c.InsecureSkipVerify = true
		c.VerifyConnection = verifyChain(c.RootCAs)
	case TLSVerifyIdentity:
	default:
		return nil, fmt.Errorf("configure TLS: mode %q is none of disabled, preferred, required, verify_ca, verify_identity", t.Mode)
	}
	return c, nil
}

// errNoCertificate says that there was nothing to verify.
var errNoCertificate = errors.New("the server showed no certificate")

// verifyChain checks that a certificate was signed by one of roots, and not its name.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(s tls.ConnectionState) error {
		if len(s.PeerCertificates) == 0 {
			return errNoCertificate
		}
		chain := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range s.PeerCertificates[1:] {
			chain.Intermediates.AddCert(c)
		}
		if _, err := s.PeerCertificates[0].Verify(chain); err != nil {
			return &tls.CertificateVerificationError{UnverifiedCertificates: s.PeerCertificates, Err: err}
		}
		return nil
	}
}
