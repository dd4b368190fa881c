package sandbox

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// scripts travel inside the binary, so that an installed mpp can fetch servers.
//
//go:embed servers/*.sh
var scripts embed.FS

// fetch fills the cache through the scripts and returns what is there then.
func (f Finder) fetch(ctx context.Context, want Flavour) (Base, error) {
	if want == Any {
		want = MariaDB1011
	}
	if !slices.Contains(Flavours(), want) {
		return Base{}, fmt.Errorf("nobody knows where to fetch %s", want)
	}
	if _, err := exec.LookPath("bash"); err != nil {
		return Base{}, fmt.Errorf("run fetch script: %w", err)
	}
	dir, err := os.MkdirTemp("", "mpp-fetch-")
	if err != nil {
		return Base{}, fmt.Errorf("unpack fetch scripts: %w", err)
	}
	defer os.RemoveAll(dir)
	sub, err := fs.Sub(scripts, "servers")
	if err == nil {
		err = os.CopyFS(dir, sub)
	}
	if err != nil {
		return Base{}, fmt.Errorf("unpack fetch scripts: %w", err)
	}
	var said tail
	log := io.Writer(&said)
	if f.Log != nil {
		log = io.MultiWriter(&said, f.Log)
		fmt.Fprintf(f.Log, "fetching %s into %s\n", want, f.Cache)
	}
	cmd := exec.CommandContext(ctx, "bash", filepath.Join(dir, "get.sh"), string(want), f.Cache)
	cmd.Stderr = log
	// The whole group goes when ctx ends: apt has children of its own.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.Output()
	if err != nil {
		return Base{}, fmt.Errorf("run fetch script: %w\n    %s", err,
			strings.ReplaceAll(strings.TrimSpace(said.String()), "\n", "\n    "))
	}
	return firstFit(ctx, want, programsIn(string(bytes.TrimSpace(out))))
}

// tail is a writer that keeps the last tailBytes of what is written.
type tail struct{ buf []byte }

const tailBytes = 4096

func (t *tail) Write(p []byte) (int, error) {
	t.buf = append(t.buf, p...)
	if len(t.buf) > tailBytes {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailBytes:]...)
	}
	return len(p), nil
}

func (t *tail) String() string { return string(t.buf) }

// lockFile takes an exclusive lock between processes, waiting until ctx ends. The
// lock ends with the process at the latest.
func lockFile(ctx context.Context, path string) (unlock func(), err error) {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, fmt.Errorf("make lock folder: %w", err)
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open lock: %w", err)
	}
	err = Eventually(ctx, 20*time.Millisecond, func(context.Context) error {
		return unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), file.Close())
	}
	return func() { file.Close() }, nil
}
