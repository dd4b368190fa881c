package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// ErrNoServer is what Find's error wraps when no usable server was found.
var ErrNoServer = errors.New("no usable database server")

// Finder looks for server programs. The zero value looks everywhere.
type Finder struct {
	// ServerDir is a folder whose bin, sbin or itself holds mariadbd or mysqld;
	// empty means $MPP_SERVER_DIR, and none if that is empty too.
	ServerDir string
	// Cache is the folder for fetched servers and for templates; empty means
	// $MPP_SERVER_CACHE, $XDG_CACHE_HOME/mpp/servers or ~/.cache/mpp/servers.
	Cache string
	// Offline says never to fetch anything.
	Offline bool
	// Log takes the progress of a fetch; nil means nobody wants it.
	Log io.Writer
}

// Find returns a server of the flavour, looking in this order: $MPP_SERVER_DIR,
// the programs of this system, the cache, and the mirrors of this host's apt. It
// also makes the template. Fetching takes 5 to 15 s and 60 MB, once; several
// processes may call it at the same time. The error wraps ErrNoServer and says
// what was tried and what to install.
func Find(ctx context.Context, want Flavour) (Base, error) {
	return Finder{}.Find(ctx, want)
}

// Find is the function Find with this Finder's settings.
func (f Finder) Find(ctx context.Context, want Flavour) (Base, error) {
	if f.ServerDir == "" {
		f.ServerDir = os.Getenv("MPP_SERVER_DIR")
	}
	if f.Cache == "" {
		dir, err := cacheDir()
		if err != nil {
			return Base{}, fmt.Errorf("find server %s: %w", want, err)
		}
		f.Cache = dir
	}
	var tried []string
	for _, place := range f.places(want) {
		base, err := place.look(ctx)
		if err == nil {
			base.Template, err = makeTemplate(ctx, base, filepath.Join(f.Cache, "templates"))
		}
		if err == nil {
			base.Origin = place.name
			return base, nil
		}
		tried = append(tried, place.name+": "+err.Error())
		if ctx.Err() != nil {
			break
		}
	}
	return Base{}, fmt.Errorf("find server %s: %w; tried\n  %s\n%s",
		want, ErrNoServer, strings.Join(tried, "\n  "), advice(want))
}

// place is somewhere to look for a server.
type place struct {
	name string
	look func(context.Context) (Base, error)
}

// places lists where to look for a flavour, in order.
func (f Finder) places(want Flavour) []place {
	var list []place
	add := func(name string, look func(context.Context) (Base, error)) {
		list = append(list, place{name, look})
	}
	if f.ServerDir == "" {
		add("$MPP_SERVER_DIR", func(context.Context) (Base, error) { return Base{}, errors.New("not set") })
	} else {
		add("server folder "+f.ServerDir, func(ctx context.Context) (Base, error) {
			return firstFit(ctx, want, programsIn(f.ServerDir))
		})
	}
	add("this system's PATH and sbin folders", func(ctx context.Context) (Base, error) {
		return firstFit(ctx, want, systemPrograms())
	})
	add("cache "+f.Cache, func(ctx context.Context) (Base, error) {
		return firstFit(ctx, want, f.cachedPrograms(want))
	})
	if !f.Offline {
		add("fetch with apt", func(ctx context.Context) (Base, error) { return f.fetch(ctx, want) })
	}
	return list
}

// cacheDir is where fetched servers are kept unless the caller says otherwise.
func cacheDir() (string, error) {
	if dir := os.Getenv("MPP_SERVER_CACHE"); dir != "" {
		return filepath.Abs(dir)
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("choose cache folder: %w; set MPP_SERVER_CACHE", err)
	}
	return filepath.Join(dir, "mpp", "servers"), nil
}

// programsIn lists the server programs of an installation folder.
func programsIn(dir string) []string {
	var found []string
	for _, sub := range []string{"bin", "sbin", ""} {
		for _, name := range []string{"mariadbd", "mysqld"} {
			if p := filepath.Join(dir, sub, name); isProgram(p) {
				found = append(found, p)
			}
		}
	}
	return found
}

// systemPrograms lists the server programs that are installed on this system.
func systemPrograms() []string {
	var found []string
	for _, name := range []string{"mariadbd", "mysqld"} {
		if p, err := exec.LookPath(name); err == nil {
			found = append(found, p)
		}
		for _, dir := range []string{"/usr/sbin", "/usr/libexec", "/usr/local/sbin"} {
			if p := filepath.Join(dir, name); isProgram(p) {
				found = append(found, p)
			}
		}
	}
	return found
}

// cachedPrograms lists the complete servers of the cache that may fit.
func (f Finder) cachedPrograms(want Flavour) []string {
	var found []string
	for _, flavour := range Flavours() {
		dir := filepath.Join(f.Cache, string(flavour))
		if _, err := os.Stat(filepath.Join(dir, ".complete")); err == nil && (want == Any || want == flavour) {
			found = append(found, programsIn(dir)...)
		}
	}
	return found
}

// firstFit returns the first program that runs and is of the flavour.
func firstFit(ctx context.Context, want Flavour, programs []string) (Base, error) {
	if len(programs) == 0 {
		return Base{}, errors.New("no mariadbd or mysqld")
	}
	var misfits []string
	for _, p := range programs {
		base, err := inspect(ctx, p)
		switch {
		case err != nil:
			misfits = append(misfits, err.Error())
		case want == Any || want == base.Flavour:
			return base, nil
		default:
			misfits = append(misfits, p+" is "+string(base.Flavour))
		}
	}
	return Base{}, errors.New(strings.Join(misfits, "; "))
}

// inspect asks a program what it is.
func inspect(ctx context.Context, program string) (Base, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return Base{}, fmt.Errorf("inspect server: %w", err)
	}
	out, err := exec.CommandContext(ctx, program, "--no-defaults", "--version").CombinedOutput()
	if err != nil {
		return Base{}, fmt.Errorf("inspect server %s: %w: %s", program, err, bytes.TrimSpace(out))
	}
	flavour, version, err := parseVersion(string(out))
	if err != nil {
		return Base{}, fmt.Errorf("inspect server %s: %w", program, err)
	}
	base := Base{
		Flavour: flavour, Version: version, Server: program,
		MariaDB: strings.HasPrefix(string(flavour), "mariadb-"),
	}
	base.Args = append([]string{"--no-defaults"}, layoutArgs(filepath.Dir(filepath.Dir(program)))...)
	if !base.MariaDB {
		// The folder that is compiled in need not exist, and then MySQL refuses to start.
		base.Args = append(base.Args, "--secure-file-priv=")
	}
	return base, base.supported()
}

// layoutArgs tells a server that was unpacked into root where its own files are;
// one that is installed in the system's folders knows.
func layoutArgs(root string) []string {
	share := filepath.Join(root, "share")
	for _, s := range []string{share, filepath.Join(share, "mariadb"), filepath.Join(share, "mysql")} {
		if root == "/usr" || !isDir(filepath.Join(s, "charsets")) {
			continue
		}
		args := []string{"--basedir=" + root, "--lc-messages-dir=" + s, "--character-sets-dir=" + filepath.Join(s, "charsets")}
		for _, p := range []string{"plugin", "lib/plugin", "lib/mysql/plugin", "lib64/mysql/plugin"} {
			if p = filepath.Join(root, p); isDir(p) {
				return append(args, "--plugin-dir="+p)
			}
		}
		return args
	}
	return nil
}

// advice says how to get a server of the flavour.
func advice(want Flavour) string {
	install := "apt-get install --no-install-recommends mariadb-server-core mariadb-client-core"
	if strings.HasPrefix(string(want), "mysql-") {
		install = "apt-get install --no-install-recommends mysql-server-core mysql-client-core"
	}
	which := ""
	if want != Any {
		which = " on a release that has " + string(want)
	}
	return "to have one: " + install + which + " (these start no service), or set MPP_SERVER_DIR" +
		" to a folder whose bin or sbin holds mariadbd or mysqld, or MPP_SERVER_CACHE to a filled cache"
}

// isProgram tells whether path is a file that can be executed.
func isProgram(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode().Perm()&0o111 != 0
}

// isDir tells whether path is a folder.
func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
