package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// imported runs mpp import mha on app1.cnf with a folder for the passwords.
func imported(t *testing.T, s *stage, folder string) string {
	t.Helper()
	return s.run("mpp import mha testdata/files/app1.cnf --passwords " + folder)
}

func TestImportedPasswordsAreInFilesOfTheirOwnerOnly(t *testing.T) {
	folder := t.TempDir()
	text := imported(t, newStage(t), folder)
	got := map[string]string{}
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		path := filepath.Join(folder, e.Name())
		info, err := os.Stat(path)
		if err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got[e.Name()] = string(content)
		if !strings.Contains(text, `password_file = "`+path+`"`) {
			t.Errorf("%s is not named in\n%s", path, text)
		}
	}
	want := map[string]string{"app1.password": "s3cret-of-mha\n", "app1.repl-password": "s3cret-of-repl\n"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if strings.Contains(text, "s3cret") {
		t.Errorf("a password was printed:\n%s", text)
	}
	if again := imported(t, newStage(t), folder); again != text {
		t.Errorf("a second time it says\n%s", again)
	}
}

func TestImportLeavesAnotherPasswordAlone(t *testing.T) {
	folder := t.TempDir()
	theirs := filepath.Join(folder, "app1.repl-password")
	if err := os.WriteFile(theirs, []byte("newer"), 0o600); err != nil {
		t.Fatal(err)
	}
	text := imported(t, newStage(t), folder)
	want := "mpp: " + theirs + " holds another password than MHA's file\n  remove it, or name another folder with --passwords; nothing was written\n[exit code 5]\n"
	if diff := cmp.Diff(want, text); diff != "" {
		t.Error(diff)
	}
	entries, err := os.ReadDir(folder)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v", entries, err)
	}
}

func TestImportWithoutTheFolderWritesAndPrintsNothing(t *testing.T) {
	text := imported(t, newStage(t), filepath.Join(t.TempDir(), "none"))
	if !strings.Contains(text, "no such file or directory") || strings.Contains(text, "[[pool]]") || !strings.HasSuffix(text, "[exit code 5]\n") {
		t.Error(text)
	}
}

func TestImportedConfigurationIsTaken(t *testing.T) {
	folder := t.TempDir()
	text := imported(t, newStage(t), folder)
	path := filepath.Join(folder, "mpp.toml")
	// What a person would do by the list at the top: name the key and the known hosts.
	text = strings.NewReplacer("key_file = ", "#", "known_hosts = ", "#").Replace(text)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if said := newStage(t).run("mpp config check " + path); !strings.Contains(said, "mpp.toml: OK: 1 pool, 3 nodes") {
		t.Errorf("%s\n%s", said, text)
	}
}

func TestImportPrintsWhatMHAWasTold(t *testing.T) {
	for name, line := range map[string]string{
		"address.txt": "mpp import mha testdata/files/app1.cnf --helper testdata/files/mha-helper",
		"script.txt":  "mpp import mha testdata/files/app3.cnf --run-script --key /etc/mpp/id --known-hosts /etc/mpp/known_hosts",
	} {
		compareFile(t, "testdata/import/"+name, newStage(t).run(line))
	}
}

func TestThePageAboutTheImportShowsTheRealOutput(t *testing.T) {
	t.Chdir("testdata/files")
	const page = "../../../docs/mha-import.md"
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	got := play(newStage(t), string(text),
		func(string) (string, bool) { return "", false },
		func(line string) bool { return line == "```" })
	compareFile(t, page, got)
}
