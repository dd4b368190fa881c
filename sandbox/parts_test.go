package sandbox

import (
	"os"
	"path/filepath"
	"testing"
)

func TestVersionLinesOfTheProducts(t *testing.T) {
	for line, want := range map[string]struct {
		flavour Flavour
		version Version
	}{
		"mariadbd  Ver 10.11.19-MariaDB-0+deb12u1 for debian-linux-gnu on x86_64 (Debian 12)": {MariaDB1011, Version{10, 11, 19}},
		"/usr/sbin/mysqld  Ver 8.0.40-0ubuntu0.22.04.1 for Linux on x86_64 ((Ubuntu))":        {"mysql-8.0", Version{8, 0, 40}},
		"mysqld  Ver 9.7.4-2 for Linux on x86_64 ((Debian))":                                  {MySQL97, Version{9, 7, 4}},
	} {
		flavour, version, err := parseVersion(line)
		if err != nil || flavour != want.flavour || version != want.version {
			t.Errorf("%s: %s %s %v", line, flavour, version, err)
		}
	}
	if _, _, err := parseVersion("bash: mysqld: command not found"); err == nil {
		t.Error("no error for nonsense")
	}
}

func TestServerIDsOfOneMachineDiffer(t *testing.T) {
	seen := map[uint32]string{}
	for _, address := range []string{"127.0.0.1:3307", "127.0.0.1:3308", "127.0.0.2:3307", "127.0.1.1:3307", "10.0.0.1:3307"} {
		id := addressID(address)
		if id == 0 || seen[id] != "" {
			t.Errorf("%s: id %d, as %s", address, id, seen[id])
		}
		seen[id] = address
	}
}

func TestReservedPortIsGivenToNobodyElse(t *testing.T) {
	hold, address, err := reserve("127.0.0.1:0", false)
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{address: true}
	for range 200 {
		other, got, err := reserve("127.0.0.1:0", false)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = other.release() })
		if seen[got] {
			t.Fatalf("%s was given twice", got)
		}
		seen[got] = true
	}
	if err := hold.release(); err != nil {
		t.Error(err)
	}
}

func TestCopyKeepsContentAndMakesHoles(t *testing.T) {
	from, to := filepath.Join(t.TempDir(), "from"), filepath.Join(t.TempDir(), "to")
	content := make([]byte, 1<<20+5)
	copy(content[300<<10:], "something")
	content[len(content)-1] = 1
	if err := os.MkdirAll(filepath.Join(from, "sub"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(from, "sub", "file"), content, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := copyTree(from, to); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(filepath.Join(to, "sub", "file"))
	if err != nil || string(got) != string(content) {
		t.Errorf("the copy differs: %d bytes, %v", len(got), err)
	}
}
