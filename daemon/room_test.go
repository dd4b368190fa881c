package daemon

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFullDiskOfTheStateDirectoryIsNoticedBeforeSomethingMustBeWritten(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a small file system needs root")
	}
	dir := t.TempDir()
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", dir).CombinedOutput(); err != nil {
		t.Skipf("mount: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", dir).CombinedOutput(); err != nil {
			t.Errorf("umount: %v: %s", err, out)
		}
	})
	if why := noRoom(dir); why != "" {
		t.Errorf("with room: %q", why)
	}
	file := filepath.Join(dir, "full")
	if err := os.WriteFile(file, make([]byte, 1000<<10), 0o600); err != nil {
		t.Fatal(err)
	}
	if why := noRoom(dir); !strings.Contains(why, "is full (2") {
		t.Errorf("without: %q", why)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if why := noRoom(dir); why != "" {
		t.Errorf("with room again: %q", why)
	}
	if why := noRoom(filepath.Join(dir, "nowhere")); why != "" {
		t.Errorf("a folder that is not there is no full disk: %q", why)
	}
}
