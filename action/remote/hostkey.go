package remote

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// hostKeys judges a host's key by a known_hosts file, and remembers why it refused.
type hostKeys struct {
	file  string
	lines []string
	check ssh.HostKeyCallback
	// refused says why in words, empty while nothing was refused; accepted is set when a key was.
	refused  string
	accepted bool
}

func readKnownHosts(file string) (*hostKeys, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read known_hosts: %w", err)
	}
	check, err := knownhosts.New(file)
	if err != nil {
		return nil, fmt.Errorf("read known_hosts: %w", err)
	}
	return &hostKeys{file: file, lines: strings.Split(string(text), "\n"), check: check}, nil
}

// algorithms lists what to ask of the host, best first: the kinds of keys that known_hosts has
// for it come first, or a host with several keys would show one that is not there. The others
// follow, so that a host that shows another key than the known one gets a clear answer.
func (k *hostKeys) algorithms(address string) []string {
	var known, rest []string
	authority := false
	for _, want := range k.wanted(address) {
		known = append(known, signatures(want.Key.Type())...)
		if want.Line > 0 && want.Line <= len(k.lines) && strings.HasPrefix(strings.TrimSpace(k.lines[want.Line-1]), "@cert-authority") {
			authority = true
		}
	}
	for _, a := range ssh.SupportedAlgorithms().HostKeys {
		switch certificate := strings.Contains(a, "-cert-"); {
		case certificate && authority:
			known = slices.Insert(known, 0, a)
		case !certificate && !slices.Contains(known, a):
			rest = append(rest, a)
		}
	}
	return append(known, rest...)
}

// wanted returns the keys that known_hosts has for an address: the callback tells them when it is
// shown a key that nobody has.
func (k *hostKeys) wanted(address string) []knownhosts.KnownKey {
	nobodys, err := ssh.NewPublicKey(ed25519.PublicKey(make([]byte, ed25519.PublicKeySize)))
	if err != nil {
		return nil
	}
	var keyError *knownhosts.KeyError
	if !errors.As(k.check(address, &net.TCPAddr{}, nobodys), &keyError) {
		return nil
	}
	return keyError.Want
}

// signatures lists the signature algorithms of a kind of key; SHA-1 is not among them.
func signatures(keyType string) []string {
	if keyType == ssh.KeyAlgoRSA {
		return []string{ssh.KeyAlgoRSASHA512, ssh.KeyAlgoRSASHA256}
	}
	return []string{keyType}
}

// judge is the ssh.HostKeyCallback.
func (k *hostKeys) judge(address string, remote net.Addr, key ssh.PublicKey) error {
	err := k.check(address, remote, key)
	if err == nil {
		k.accepted = true
		return nil
	}
	line := knownhosts.Line([]string{address}, key)
	var keyError *knownhosts.KeyError
	var revoked *knownhosts.RevokedError
	switch {
	case errors.As(err, &revoked):
		k.refused = fmt.Sprintf("the host's key is marked as revoked in %s line %d", k.file, revoked.Revoked.Line)
	case errors.As(err, &keyError) && len(keyError.Want) == 0:
		k.refused = fmt.Sprintf("host key unknown: %s has none for it; compare %s with ssh-keygen -lf on the host, then add the line: %s",
			k.file, ssh.FingerprintSHA256(key), line)
	case errors.As(err, &keyError):
		want := keyError.Want[0]
		k.refused = fmt.Sprintf("host key changed: %s line %d has %s, the host shows %s; if it was installed anew, replace that line by: %s",
			k.file, want.Line, ssh.FingerprintSHA256(want.Key), ssh.FingerprintSHA256(key), line)
	default:
		k.refused = "the host's certificate is not accepted: " + err.Error()
	}
	return err
}

// readKey reads a private key.
func readKey(file string) (ssh.Signer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read ssh key: %w", err)
	}
	defer clear(text)
	signer, err := ssh.ParsePrivateKey(bytes.TrimLeft(text, "\n"))
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return nil, fmt.Errorf("read ssh key %s: it has a passphrase, which nobody could type at three in the morning; make a key without", file)
	case err != nil:
		return nil, fmt.Errorf("read ssh key %s: %w", file, err)
	}
	return signer, nil
}
