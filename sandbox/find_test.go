package sandbox_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

func TestFindErrorSaysWhatWasTriedAndWhatToInstall(t *testing.T) {
	server, cache := t.TempDir(), t.TempDir()
	_, err := sandbox.Finder{ServerDir: server, Cache: cache, Offline: true}.Find(t.Context(), "mariadb-9.9")
	if !errors.Is(err, sandbox.ErrNoServer) {
		t.Fatalf("error: %v", err)
	}
	for _, want := range []string{
		"mariadb-9.9", server, "PATH", cache,
		"apt-get install --no-install-recommends mariadb-server-core mariadb-client-core", "MPP_SERVER_DIR", "MPP_SERVER_CACHE",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %q:\n%v", want, err)
		}
	}
}

func TestFlavourThatNobodyOffersIsNotFetched(t *testing.T) {
	_, err := sandbox.Finder{Cache: t.TempDir()}.Find(t.Context(), "mysql-4.1")
	if !errors.Is(err, sandbox.ErrNoServer) || !strings.Contains(err.Error(), "nobody knows where to fetch") {
		t.Errorf("error: %v", err)
	}
}

func TestFindTakesTheNamedFolderIfItsVersionFits(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	dir := filepath.Dir(filepath.Dir(base.Server))
	cache := t.TempDir() // empty: so it makes a new template, twice at the same time
	var both sync.WaitGroup
	for _, flavour := range []sandbox.Flavour{sandbox.Any, sandbox.MariaDB1011} {
		both.Go(func() {
			got, err := sandbox.Finder{ServerDir: dir, Cache: cache, Offline: true}.Find(sandboxtest.Context(t), flavour)
			if err != nil {
				t.Errorf("%s: %v", flavour, err)
			} else if got.Server != base.Server || got.Flavour != sandbox.MariaDB1011 || !got.MariaDB || !got.Version.AtLeast(10, 11, 1) {
				t.Errorf("%s: found %+v", flavour, got)
			}
		})
	}
	both.Wait()
	parts, err := filepath.Glob(filepath.Join(cache, "templates", "*.part"))
	if err != nil || len(parts) > 0 {
		t.Errorf("unfinished templates: %q, %v", parts, err)
	}
	_, err = sandbox.Finder{ServerDir: dir, Cache: cache, Offline: true}.Find(t.Context(), sandbox.MySQL97)
	if err == nil || !strings.Contains(err.Error(), "is mariadb-10.11") {
		t.Errorf("error: %v", err)
	}
}

func TestTemplateThatCannotBeMadeIsNotLeftHalfDone(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	dir, cache := t.TempDir(), t.TempDir()
	must(t, os.Mkdir(filepath.Join(dir, "bin"), 0o755))
	must(t, os.Symlink(base.Server, filepath.Join(dir, "bin", "mariadbd"))) // without its share folder
	_, err := sandbox.Finder{ServerDir: dir, Cache: cache, Offline: true}.Find(t.Context(), sandbox.MariaDB1011)
	if err == nil {
		t.Skip("another server of this version is installed here")
	}
	left, globErr := filepath.Glob(filepath.Join(cache, "templates", "*"))
	must(t, globErr)
	for _, path := range left {
		if !strings.HasSuffix(path, ".lock") {
			t.Errorf("left: %s", path)
		}
	}
}

func TestBaseKnowsItsOtherPrograms(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	if p, err := base.Program("mariadb-install-db"); err != nil {
		t.Errorf("%s, %v", p, err)
	}
	if _, err := base.Program("no-such-program"); err == nil {
		t.Error("found no-such-program")
	}
}

func TestEventuallySaysWhatItWaitedFor(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 1)
	defer cancel()
	reason := errors.New("the moon is not full")
	err := sandbox.Eventually(ctx, 1, func(context.Context) error { return reason })
	if !errors.Is(err, reason) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error: %v", err)
	}
}
