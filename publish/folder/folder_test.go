package folder_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mpp/publish/folder"
)

func take(t *testing.T, dir string) *folder.Folder {
	t.Helper()
	f, err := folder.Take(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Release)
	return f
}

func TestAFolderHasOneHolderWhomTheOtherIsTold(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	first := take(t, dir)
	_, err := folder.Take(dir)
	if err == nil || !strings.Contains(err.Error(), dir) || !strings.Contains(err.Error(), fmt.Sprintf("used by another mppd (pid %d)", os.Getpid())) {
		t.Errorf("a second holder: %v", err)
	}
	first.Release()
	take(t, dir)
}

func TestAFolderThatIsMadeCanBeReadWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	dir := filepath.Join(t.TempDir(), "a", "b")
	take(t, dir)
	for path, want := range map[string]os.FileMode{dir: 0o755, filepath.Dir(dir): 0o755, filepath.Join(dir, folder.LockName): 0o600} {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %o: %v", path, info.Mode(), want, err)
		}
	}
}

func TestAFolderThatIsRemovedIsTakenAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a", "b")
	f := take(t, dir)
	if fresh, err := f.Renew(); fresh || err != nil {
		t.Errorf("nothing happened: %v %v", fresh, err)
	}
	for _, remove := range []string{filepath.Dir(dir), dir, filepath.Join(dir, folder.LockName)} {
		if err := os.RemoveAll(remove); err != nil {
			t.Fatal(err)
		}
		if fresh, err := f.Renew(); !fresh || err != nil {
			t.Errorf("%s was removed: %v %v", remove, fresh, err)
		}
		if _, err := folder.Take(dir); err == nil {
			t.Errorf("after %s was removed, the folder is not held", remove)
		}
	}
}

func TestAFolderThatAnotherHasTakenIsLeftToIt(t *testing.T) {
	dir := t.TempDir()
	f := take(t, dir)
	if err := os.Remove(filepath.Join(dir, folder.LockName)); err != nil {
		t.Fatal(err)
	}
	other := take(t, dir)
	for range 2 {
		if fresh, err := f.Renew(); fresh || err == nil || !strings.Contains(err.Error(), "another mppd") {
			t.Errorf("%v %v", fresh, err)
		}
	}
	other.Release()
	if fresh, err := f.Renew(); !fresh || err != nil {
		t.Errorf("after the other is gone: %v %v", fresh, err)
	}
}
