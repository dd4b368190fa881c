package lockfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"mpp/lease/lockfile"
)

func TestALockHasOneHolderUntilItsFileIsClosed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lock")
	first, err := lockfile.Open(path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := first.WriteString("12"); err != nil {
		t.Fatal(err)
	}
	second, err := lockfile.Open(path, 0o600)
	if !errors.Is(err, lockfile.ErrHeld) {
		t.Fatalf("a second lock: %v", err)
	}
	who := make([]byte, 2)
	if _, err := second.ReadAt(who, 0); err != nil || string(who) != "12" {
		t.Errorf("who holds it: %q, %v", who, err)
	}
	if err := errors.Join(second.Close(), first.Close()); err != nil {
		t.Fatal(err)
	}
	third, err := lockfile.Open(path, 0o600)
	if err != nil || !lockfile.Is(third, path) {
		t.Fatalf("after the first was closed: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if lockfile.Is(third, path) {
		t.Error("the file was removed, and the lock is taken to protect something")
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
}

func TestASymbolicLinkIsNoLock(t *testing.T) {
	dir := t.TempDir()
	if err := os.Symlink(filepath.Join(dir, "elsewhere"), filepath.Join(dir, "lock")); err != nil {
		t.Fatal(err)
	}
	if f, err := lockfile.Open(filepath.Join(dir, "lock"), 0o600); err == nil {
		t.Errorf("locked %s", f.Name())
	}
}
