package lab

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/process"
)

// sshPort is where every server's host listens for ssh.
const sshPort = "22"

// separationDir is where sshd shuts its unprivileged part in. Debian's package makes it
// when the service starts, which it need never have done here.
const separationDir = "/run/sshd"

// findSshd returns sshd's full path: sshd insists on being called by it.
func findSshd() (string, error) {
	for _, p := range []string{"/usr/sbin/sshd", "/usr/local/sbin/sshd", "/sbin/sshd"} {
		if info, err := os.Stat(p); err == nil && info.Mode()&0o111 != 0 {
			return p, nil
		}
	}
	path, err := exec.LookPath("sshd")
	if err != nil {
		return "", errors.New("no sshd on this machine (Debian: apt-get install openssh-server)")
	}
	return path, nil
}

// sshdSettings is the configuration of a host's sshd.
func (l *Lab) sshdSettings(h *Host) string {
	lines := []string{
		"ListenAddress " + net.JoinHostPort(h.Address.String(), sshPort),
		"HostKey " + strconv.Quote(l.hostKeyFile(h)),
		"AuthorizedKeysFile " + strconv.Quote(l.authorizedKeys()),
		"PermitRootLogin prohibit-password",
		"AllowUsers root",
		"PubkeyAuthentication yes",
		"PasswordAuthentication no",
		"KbdInteractiveAuthentication no",
		"UsePAM " + yesNo(rootIsLocked()),
		"UseDNS no",
		"StrictModes no", // the lab may be in /tmp, where everybody may write
		"PidFile none",
		"PrintMotd no",
		"PrintLastLog no",
		"MaxStartups 100",
		"MaxSessions 100",
		"Subsystem sftp internal-sftp",
		// Not this machine's root's: its ~/.bashrc may do anything, and shells read it.
		"SetEnv " + strconv.Quote("HOME="+l.homeDir()) + " " + strconv.Quote("PATH="+l.toolsDir()+":"+usualPath),
	}
	if h.Address6.IsValid() {
		lines = append(lines, "ListenAddress "+net.JoinHostPort(h.Address6.String(), sshPort))
	}
	return strings.Join(lines, "\n") + "\n"
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// rootIsLocked tells whether root's password field begins with "!": sshd without PAM
// lets such an account in by no means. PAM asks for no password when a key was shown.
func rootIsLocked() bool {
	file, err := os.Open("/etc/shadow")
	if err != nil {
		return false
	}
	defer file.Close()
	for lines := bufio.NewScanner(file); lines.Scan(); {
		if rest, found := strings.CutPrefix(lines.Text(), "root:"); found {
			return strings.HasPrefix(rest, "!")
		}
	}
	return false
}

// startSshd starts the sshd of a host and returns when it lets people in.
func (l *Lab) startSshd(ctx context.Context, h *Host) error {
	if err := l.launchSshd(ctx, h); err != nil {
		return fmt.Errorf("start sshd on %s: %w", h.Name, err)
	}
	err := sandbox.Eventually(ctx, 5*time.Millisecond, func(ctx context.Context) error {
		conn, err := h.Dial(ctx, "tcp", net.JoinHostPort(h.Address.String(), sshPort))
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		log, _ := os.ReadFile(l.sshdLog(h))
		return fmt.Errorf("start sshd on %s: %w; it said: %s", h.Name, err, lastLine(string(log)))
	}
	return nil
}

func (l *Lab) launchSshd(ctx context.Context, h *Host) error {
	program, err := findSshd()
	if err != nil {
		return err
	}
	if err := os.Mkdir(separationDir, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	if err := os.WriteFile(l.sshdConfig(h), []byte(l.sshdSettings(h)), 0o600); err != nil {
		return err
	}
	log, err := os.OpenFile(l.sshdLog(h), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	// It outlives this call; the lab's end ends it.
	cmd := h.Command(context.WithoutCancel(ctx), program, "-D", "-e", "-f", l.sshdConfig(h))
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	_, err = process.Start(cmd, l.rec.Detached)
	return err
}
