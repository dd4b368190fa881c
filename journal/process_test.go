package journal

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// The test binary, started with childEnv, is one of these processes on the directory dirEnv.
const (
	childEnv = "MPP_JOURNAL_TEST_CHILD"
	dirEnv   = "MPP_JOURNAL_TEST_DIR"
)

func TestMain(m *testing.M) {
	children := map[string]func(dir string) error{
		"writer": writeForEver, "limited": writeAgainstALimit, "tmpfs": writeOnASmallDisk,
		"readonly": openReadOnly, "denied": openDenied,
	}
	if child := children[os.Getenv(childEnv)]; child != nil {
		if err := child(os.Getenv(dirEnv)); err != nil {
			fmt.Println("FAIL", err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func childCommand(t *testing.T, name, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+name, dirEnv+"="+dir, "GORACE=atexit_sleep_ms=0")
	cmd.Stderr = os.Stderr
	return cmd
}

func runChild(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	if out, err := cmd.Output(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

var smallOptions = Options{MaxSize: 1 << 20, MaxSegment: 24 << 10, EventsKept: 20}

// writeForEver appends as fast as it can, compacts when it should, and says after each
// record which one was acknowledged.
func writeForEver(dir string) error {
	j, r, err := Open(dir, smallOptions)
	if err != nil {
		return err
	}
	if len(r.Damage) > 0 {
		return fmt.Errorf("kill -9 damaged the journal: %q", r.Damage)
	}
	for i := r.NextEventSeq; ; i++ {
		if err := j.Append(nth(i), i%3 == 0); err != nil {
			return err
		}
		if _, err := fmt.Println(i); err != nil {
			return err
		}
		if j.NeedsCompaction() {
			if err := j.Compact(nil, nil); err != nil {
				return err
			}
		}
	}
}

func TestKilledWriterLosesNothingThatWasAcknowledged(t *testing.T) {
	const kills = 120
	dir := t.TempDir()
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	acknowledged, most := uint64(0), uint64(0)
	for range kills {
		acknowledged = max(acknowledged, killWriter(t, dir, time.Duration(random.IntN(6000))*time.Microsecond))
		r, err := Peek(dir, smallOptions)
		if err != nil {
			t.Fatal(err)
		}
		written := r.NextEventSeq - 1
		if len(r.Damage)+len(r.Uncertain) != 0 {
			t.Fatalf("damage %q", r.Damage)
		}
		if written < acknowledged || written > acknowledged+1 {
			t.Fatalf("%d records were acknowledged, %d are there", acknowledged, written)
		}
		checkRestored(t, r, written)
		acknowledged = written
		most = max(most, written)
	}
	t.Logf("%d records", most)
	checkHistory(t, dir, most)
}

// checkHistory: what is left of the history is what was written.
func checkHistory(t *testing.T, dir string, last uint64) {
	t.Helper()
	seq := uint64(0)
	for e, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Damage != "" {
			t.Errorf("damage %q", e.Damage)
		}
		if e.Record == nil {
			continue
		}
		seq = e.Record.Seq
		want := nth(seq)
		want.Seq = seq
		if d := cmp.Diff(&want, e.Record); d != "" {
			t.Fatalf("record %d: %s", seq, d)
		}
	}
	if seq != last {
		t.Errorf("history ends with %d, want %d", seq, last)
	}
}

// killWriter runs a writer, kills it some time after its first record and returns the last
// record that it acknowledged.
func killWriter(t *testing.T, dir string, after time.Duration) uint64 {
	t.Helper()
	cmd := childCommand(t, "writer", dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewReader(out)
	first, err := lines.ReadString('\n')
	if err != nil || strings.HasPrefix(first, "FAIL") {
		t.Fatalf("writer: %s %v", first, err)
	}
	kill := time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
	defer kill.Stop()
	rest, err := io.ReadAll(lines)
	if err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
	if bytes.Contains(rest, []byte("FAIL")) {
		t.Fatalf("writer: %s", rest)
	}
	whole := strings.Split(strings.TrimSpace(first+string(rest[:bytes.LastIndexByte(rest, '\n')+1])), "\n")
	last, err := strconv.ParseUint(whole[len(whole)-1], 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return last
}

// writeAgainstALimit meets a file size limit of the kernel, which cuts a write in two.
func writeAgainstALimit(dir string) error {
	signal.Ignore(syscall.SIGXFSZ)
	j, _, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	setLimit := func(bytes uint64) error {
		limit := syscall.Rlimit{Cur: bytes, Max: 1 << 40}
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &limit)
	}
	if err := setLimit(10_000); err != nil {
		return err
	}
	i := uint64(1)
	for ; err == nil; i++ {
		err = j.Append(nth(i), true)
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.EFBIG) {
		return fmt.Errorf("at the limit: %w", err)
	}
	if r, err := Peek(dir, Options{}); err != nil || len(r.Notes) != 0 || diff(r, i-2) != "" {
		return fmt.Errorf("record %d was not cut off: %q %w", i-1, r.Notes, err)
	}
	if err := setLimit(1 << 40); err != nil {
		return err
	}
	for last := i + 10; i <= last; i++ {
		if err := j.Append(nth(i), true); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
	}
	return verify(dir, i-1)
}

func verify(dir string, n uint64) error {
	r, err := Peek(dir, Options{})
	if err != nil {
		return err
	}
	if d := diff(r, n); d != "" || len(r.Damage)+len(r.Notes) > 0 {
		return fmt.Errorf("damage %q, notes %q, %s", r.Damage, r.Notes, d)
	}
	return nil
}

func TestFileSizeLimitOfTheKernelIsSurvived(t *testing.T) {
	runChild(t, childCommand(t, "limited", t.TempDir()))
}

// writeOnASmallDisk fills a file system of 256 KiB and makes room again.
func writeOnASmallDisk(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	ballast := filepath.Join(dir, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 128<<10), 0o600); err != nil {
		return err
	}
	dir = filepath.Join(dir, "journal")
	j, _, err := Open(dir, Options{})
	if err != nil {
		return err
	}
	i := uint64(1)
	for ; err == nil; i++ {
		err = j.Append(nth(i), true)
	}
	if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("full: %w", err)
	}
	if err := j.Compact(nil, nil); !errors.Is(err, ErrFull) {
		return fmt.Errorf("compact on a full disk: %w", err)
	}
	j.abandon()
	j, r, err := Open(dir, Options{}) // a restart on a full disk
	if err != nil {
		return fmt.Errorf("restart on a full disk: %w", err)
	}
	if d := diff(r, i-2); d != "" {
		return errors.New(d)
	}
	i--
	if err := j.Append(nth(i), true); !errors.Is(err, ErrFull) {
		return fmt.Errorf("still full: %w", err)
	}
	if err := os.Remove(ballast); err != nil {
		return err
	}
	for last := i + 10; i < last; i++ {
		if err := j.Append(nth(i+1), true); err != nil {
			return fmt.Errorf("with room again: %w", err)
		}
	}
	return verify(dir, i)
}

// ownMounts gives a child a mount namespace of its own; its mounts end with it.
func ownMounts(cmd *exec.Cmd) *exec.Cmd {
	attr := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS} // makes them private, too
	if os.Geteuid() != 0 {
		attr.Cloneflags |= syscall.CLONE_NEWUSER
		attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Geteuid(), Size: 1}}
		attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: 0, HostID: os.Getegid(), Size: 1}}
	}
	cmd.SysProcAttr = attr
	return cmd
}

func TestFullDiskIsSurvived(t *testing.T) {
	runChild(t, ownMounts(childCommand(t, "tmpfs", t.TempDir())))
}

// openReadOnly opens a journal on a file system that is mounted read-only.
func openReadOnly(dir string) error {
	j, _, err := Open(filepath.Join(dir, "old"), Options{})
	if err != nil {
		return err
	}
	if err := j.Append(nth(1), true); err != nil {
		return err
	}
	j.abandon()
	if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
		return fmt.Errorf("bind: %w", err)
	}
	if err := syscall.Mount("", dir, "", syscall.MS_BIND|syscall.MS_REMOUNT|syscall.MS_RDONLY, ""); err != nil {
		return fmt.Errorf("remount: %w", err)
	}
	for _, name := range []string{"old", "new"} {
		path := filepath.Join(dir, name)
		_, _, err := Open(path, Options{})
		if err == nil || !strings.Contains(err.Error(), "remount its file system read-write") || !strings.Contains(err.Error(), path) {
			return fmt.Errorf("open %s: %w", name, err)
		}
	}
	return verify(filepath.Join(dir, "old"), 1) // reading is possible
}

func TestReadOnlyFileSystemIsExplained(t *testing.T) {
	runChild(t, ownMounts(childCommand(t, "readonly", t.TempDir())))
}

// openDenied opens journals in directories that this user may not write to, or not read.
func openDenied(dir string) error {
	for _, name := range []string{"theirs", "theirs/new", "closed"} {
		path := filepath.Join(dir, name)
		_, _, err := Open(path, Options{})
		if err == nil || !strings.Contains(err.Error(), "chown") || !strings.Contains(err.Error(), path) {
			return fmt.Errorf("open %s: %w", path, err)
		}
	}
	return nil
}

func TestDirectoryOfAnotherUserIsExplained(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, filepath.Join(dir, "closed"), Options{})
	mustAppend(t, j, 1, 3)
	j.abandon()
	for path, mode := range map[string]os.FileMode{
		filepath.Dir(dir): 0o755, dir: 0o755, filepath.Join(dir, "theirs"): 0o555, filepath.Join(dir, "closed"): 0o000,
	} {
		_ = os.Mkdir(path, 0o700) // those that are missing
		if err := os.Chmod(path, mode); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "closed"), 0o700) })
	cmd := childCommand(t, "denied", dir)
	if os.Geteuid() == 0 {
		// Root may write anywhere: the child is somebody else, and runs a copy that he may run.
		cmd.Path = filepath.Join(dir, "child")
		program, err := os.ReadFile(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(cmd.Path, program, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	runChild(t, cmd)
}
