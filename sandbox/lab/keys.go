package lab

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/crypto/ssh"
)

// sshDir is the folder of keys and of sshd's files, in the lab's.
func (l *Lab) sshDir() string { return filepath.Join(l.dir, "ssh") }

// KeyFile is the private key that root may log in with on every server's host.
func (l *Lab) KeyFile() string { return filepath.Join(l.sshDir(), "id_ed25519") }

// KnownHosts is the file with the host keys of the servers' hosts.
func (l *Lab) KnownHosts() string { return filepath.Join(l.sshDir(), "known_hosts") }

// homeDir is root's home on the hosts: an empty folder.
func (l *Lab) homeDir() string              { return filepath.Join(l.dir, "home") }
func (l *Lab) authorizedKeys() string       { return filepath.Join(l.sshDir(), "authorized_keys") }
func (l *Lab) hostKeyFile(h *Host) string   { return filepath.Join(l.sshDir(), h.Name+".key") }
func (l *Lab) sshdConfig(h *Host) string    { return filepath.Join(l.sshDir(), h.Name+".conf") }
func (l *Lab) sshdLog(h *Host) string       { return filepath.Join(l.sshDir(), h.Name+".log") }
func knownHostNames(names ...string) string { return strings.Join(names, ",") }

// writeKeys makes all keys of the lab.
func (l *Lab) writeKeys() error {
	for _, dir := range []string{l.sshDir(), l.homeDir()} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("write ssh keys: %w", err)
		}
	}
	login, err := writeKey(l.KeyFile(), "mpp-lab")
	if err != nil {
		return err
	}
	if err := os.WriteFile(l.authorizedKeys(), []byte(login), 0o600); err != nil {
		return fmt.Errorf("write ssh keys: %w", err)
	}
	var known strings.Builder
	for _, h := range l.Hosts {
		if h.Kind != KindServer {
			continue
		}
		public, err := writeKey(l.hostKeyFile(h), h.Name)
		if err != nil {
			return err
		}
		names := []string{h.Address.String(), h.Name}
		if h.Address6.IsValid() {
			names = append(names, h.Address6.String())
		}
		fmt.Fprintf(&known, "%s %s", knownHostNames(names...), public)
	}
	if err := os.WriteFile(l.KnownHosts(), []byte(known.String()), 0o600); err != nil {
		return fmt.Errorf("write known hosts: %w", err)
	}
	return nil
}

// writeKey makes a key pair, writes the private key and returns the public one as a line
// of authorized_keys.
func writeKey(path, comment string) (string, error) {
	public, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return "", fmt.Errorf("make ssh key: %w", err)
	}
	block, err := ssh.MarshalPrivateKey(private, comment)
	if err != nil {
		return "", fmt.Errorf("make ssh key: %w", err)
	}
	if err := os.WriteFile(path, pem.EncodeToMemory(block), 0o600); err != nil {
		return "", fmt.Errorf("write ssh key: %w", err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		return "", fmt.Errorf("make ssh key: %w", err)
	}
	return strings.TrimSuffix(string(ssh.MarshalAuthorizedKey(key)), "\n") + " " + comment + "\n", nil
}
