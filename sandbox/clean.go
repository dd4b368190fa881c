package sandbox

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"

	"mpp/sandbox/process"
)

// memoryRoom is how many bytes must be free in memory's file system for servers to
// be put there: a pool of three of the largest, and some for the rest of the machine.
const memoryRoom = 1 << 30

// sandboxTemp is the kind of temporary folders that servers and pools have.
const sandboxTemp = "mpp-sandbox"

// TempRoots lists where temporary folders of a kind may be for this user: in memory,
// then on disk.
func TempRoots(kind string) []string {
	name := fmt.Sprintf("%s-%d", kind, os.Geteuid())
	return []string{filepath.Join("/dev/shm", name), filepath.Join(os.TempDir(), name)}
}

// TempRoot is the one of TempRoots to use now: in memory if there is room.
func TempRoot(kind string) string {
	roots := TempRoots(kind)
	var fsys unix.Statfs_t
	if unix.Access("/dev/shm", unix.W_OK) == nil && unix.Statfs("/dev/shm", &fsys) == nil &&
		fsys.Bavail*uint64(fsys.Bsize) >= memoryRoom {
		return roots[0]
	}
	return roots[1]
}

// makeDir makes an empty folder; for an empty name a temporary one, after it has
// removed what dead programs left among those.
func makeDir(ctx context.Context, dir string) (string, error) {
	if dir == "" {
		if _, err := CleanStale(ctx, ""); err != nil {
			return "", err
		}
		return MakeTemp(sandboxTemp)
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("make server folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make server folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("make server folder: %w", err)
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("make server folder: %s is not empty; Open it or CleanStale it", dir)
	}
	return dir, nil
}

// MakeTemp makes a folder of a kind in its TempRoot. Its name says which program owns
// it, so that it is never without an owner. Other programs may remove an empty root
// meanwhile.
func MakeTemp(kind string) (string, error) {
	me, err := process.Identify(os.Getpid())
	if err != nil {
		return "", err
	}
	root := TempRoot(kind)
	for try := 0; ; try++ {
		if err := os.Mkdir(root, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return "", fmt.Errorf("make temporary folder: %w", err)
		}
		info, err := os.Lstat(root)
		if err == nil {
			stat, ok := info.Sys().(*syscall.Stat_t)
			if !ok || !info.IsDir() || int(stat.Uid) != os.Geteuid() {
				return "", fmt.Errorf("make temporary folder: %s belongs to somebody else", root)
			}
			var dir string
			dir, err = os.MkdirTemp(root, fmt.Sprintf("%d.%d.*", me.PID, me.Start))
			if err == nil {
				return dir, nil
			}
		}
		if !errors.Is(err, fs.ErrNotExist) || try == 100 {
			return "", fmt.Errorf("make temporary folder: %w", err)
		}
	}
}

// CleanStale removes what programs that ended without Close left in dir, or one
// or two folders below: processes, mounts and folders. It returns the folders that
// it removed. An empty dir means the temporary folders of this user.
//
// A server is stale if the program that started it is gone; a detached one, if its
// own process is gone. Nothing but the folders of servers and
// of their pools is removed.
func CleanStale(ctx context.Context, dir string) ([]string, error) {
	if dir != "" {
		removed, err := cleanFolders(ctx, serverDirs(dir, 2))
		return removed, errors.Join(err, cleanPools(removed, dir))
	}
	stale, err := StaleTemp(sandboxTemp)
	if err != nil {
		return nil, err
	}
	return cleanFolders(ctx, stale)
}

// StaleTemp lists the temporary folders of a kind whose owner is gone.
func StaleTemp(kind string) ([]string, error) {
	var stale []string
	for _, root := range TempRoots(kind) {
		entries, err := os.ReadDir(root)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("clean up: %w", err)
		}
		for _, entry := range entries {
			if ownerGone(entry.Name()) {
				stale = append(stale, filepath.Join(root, entry.Name()))
			}
		}
	}
	return stale, nil
}

// cleanFolders removes the folders whose servers are all stale.
func cleanFolders(ctx context.Context, dirs []string) ([]string, error) {
	var removed []string
	for _, dir := range dirs {
		if err := ctx.Err(); err != nil {
			return removed, fmt.Errorf("clean up: %w", err)
		}
		if !stale(dir) {
			continue
		}
		if err := removeDir(dir); err != nil {
			return removed, fmt.Errorf("clean up: %w", err)
		}
		removed = append(removed, dir)
	}
	return removed, nil
}

// cleanPools removes the pools' folders above those of removed servers, up to dir,
// when no server is left in them.
func cleanPools(removed []string, dir string) error {
	for _, path := range removed {
		pool := filepath.Dir(path)
		if _, err := os.Stat(filepath.Join(pool, poolFile)); err != nil || len(serverDirs(pool, 1)) > 0 {
			continue
		}
		if err := os.Remove(filepath.Join(pool, poolFile)); err != nil {
			return fmt.Errorf("clean up pool: %w", err)
		}
		if pool != dir {
			_ = os.Remove(pool) // fails if it holds what is not ours
		}
	}
	return nil
}

// serverDirs lists the folders with a server's record: dir, or those below it down
// to a depth.
func serverDirs(dir string, depth int) []string {
	if _, err := os.Stat(filepath.Join(dir, recordFile)); err == nil {
		return []string{dir}
	}
	if depth == 0 {
		return nil
	}
	var found []string
	entries, _ := os.ReadDir(dir)
	for _, entry := range entries {
		if entry.IsDir() {
			found = append(found, serverDirs(filepath.Join(dir, entry.Name()), depth-1)...)
		}
	}
	return found
}

// ownerGone tells whether the name of a temporary folder names a dead owner.
func ownerGone(name string) bool {
	var owner process.ID
	_, err := fmt.Sscanf(name, "%d.%d.", &owner.PID, &owner.Start)
	owner.Boot = process.BootID()
	return err == nil && !owner.Alive()
}

// stale tells whether no server of a folder has an owner any more.
func stale(dir string) bool {
	for _, rec := range recordsUnder(dir) {
		if rec.Detached && rec.Process.Alive() || !rec.Detached && rec.Owner.Alive() {
			return false
		}
	}
	return true
}

// recordsUnder returns the records of the servers in a folder: its own, or those
// of its subfolders.
func recordsUnder(dir string) []record {
	var found []record
	for _, d := range serverDirs(dir, 1) {
		if rec, err := loadRecord(d); err == nil {
			found = append(found, rec)
		}
	}
	return found
}

// Remove kills the servers of a folder, which is a server's or a pool's, whoever
// started them, unmounts what is in it and removes it. It is no error if it is not
// there.
func Remove(dir string) error {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return fmt.Errorf("remove server folder: %w", err)
	}
	return removeDir(dir)
}

// removeDir kills the servers of a folder, unmounts what is in it and removes it.
// The folder of all temporary ones goes too when it is empty.
func removeDir(dir string) error {
	for _, rec := range recordsUnder(dir) {
		if err := process.Found(rec.Process).Kill(); err != nil {
			return fmt.Errorf("remove server folder: %w", err)
		}
		if rec.SocketDir != "" {
			if err := os.RemoveAll(rec.SocketDir); err != nil {
				return fmt.Errorf("remove socket folder: %w", err)
			}
		}
	}
	if err := unmountUnder(dir); err != nil {
		return fmt.Errorf("remove server folder: %w", err)
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove server folder: %w", err)
	}
	if slices.Contains(TempRoots(sandboxTemp), filepath.Dir(dir)) {
		_ = os.Remove(filepath.Dir(dir)) // fails while others are in it
	}
	return nil
}
