package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// diskDir is the name of the mount point in a server's folder.
const diskDir = "disk"

// fullFile is there, beside the disk, for as long as the disk is full. It holds the size
// that the disk had before.
const fullFile = "disk.full"

// shrinkTries is how often a disk is shrunk anew because the server has just written.
const shrinkTries = 1000

// Disk is a small file system in memory for some of a server's files. Only root
// can have one.
type Disk struct {
	// Size is in bytes. A data directory needs 64 MiB on MariaDB, 160 MiB on MySQL.
	Size int64
	// Binlog puts the binary logs there.
	Binlog bool
	// Data puts the data directory there.
	Data bool
}

// SmallDisk is a Disk for the binary logs alone, of so many bytes.
func SmallDisk(size int64) *Disk { return &Disk{Size: size, Binlog: true} }

// mount makes the file system in a server's folder.
func (d *Disk) mount(dir string) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("mount small disk: %w", ErrNeedsRoot)
	}
	if d.Size <= 0 {
		return fmt.Errorf("mount small disk: size %d", d.Size)
	}
	path := filepath.Join(dir, diskDir)
	if err := os.Mkdir(path, 0o700); err != nil {
		return fmt.Errorf("mount small disk: %w", err)
	}
	options := fmt.Sprintf("size=%d,mode=0700", d.Size)
	if err := unix.Mount("mpp-sandbox", path, "tmpfs", diskFlags, options); err != nil {
		return fmt.Errorf("mount small disk: %w", err)
	}
	return nil
}

const diskFlags = unix.MS_NOSUID | unix.MS_NODEV | unix.MS_NOEXEC

// FillDisk leaves no free block on the server's small disk, at once and without writing
// to it: it takes away what is free. It may be called again, and is an error for a server
// without such a disk.
func (s *Server) FillDisk() error {
	disk, err := s.disk()
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	for range shrinkTries {
		var now unix.Statfs_t
		if err = unix.Statfs(disk, &now); err != nil {
			break
		}
		if err = s.noteSize(int64(now.Blocks) * now.Bsize); err != nil {
			break
		}
		// A size of 0 would mean none.
		used := max(1, int64(now.Blocks-now.Bfree)) * now.Bsize
		if err = resize(disk, used); !errors.Is(err, unix.EINVAL) {
			break
		}
		// The server has just written: it is more by now.
	}
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	s.logf("disk full")
	return nil
}

// noteSize writes down what FreeDisk gives back. What is noted already holds.
func (s *Server) noteSize(size int64) error {
	file, err := os.OpenFile(filepath.Join(s.dir, fullFile), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(file, size)
	return errors.Join(err, file.Close())
}

func resize(disk string, size int64) error {
	return unix.Mount("mpp-sandbox", disk, "tmpfs", unix.MS_REMOUNT|diskFlags, fmt.Sprintf("size=%d", size))
}

// FreeDisk gives back what FillDisk took; it is no error if that is nothing.
func (s *Server) FreeDisk() error {
	disk, err := s.disk()
	if err != nil {
		return fmt.Errorf("free disk: %w", err)
	}
	noted := filepath.Join(s.dir, fullFile)
	text, err := os.ReadFile(noted)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("free disk: %w", err)
	}
	size, err := strconv.ParseInt(string(text), 10, 64)
	if err == nil {
		err = resize(disk, size)
	}
	if err == nil {
		err = os.Remove(noted)
	}
	if err != nil {
		return fmt.Errorf("free disk: %w", err)
	}
	s.logf("disk freed")
	return nil
}

// DiskFull tells whether FillDisk has filled the small disk.
func (s *Server) DiskFull() bool {
	_, err := os.Stat(filepath.Join(s.dir, fullFile))
	return err == nil
}

// disk returns the mount point of the small disk. To fill a folder that is not
// one would fill the machine.
func (s *Server) disk() (string, error) {
	mounts, err := mountsUnder(s.dir)
	if err != nil {
		return "", err
	}
	// Mount points are listed by their real names.
	dir, err := filepath.EvalSymlinks(s.dir)
	if err != nil {
		return "", fmt.Errorf("look for small disk: %w", err)
	}
	path := filepath.Join(dir, diskDir)
	if !slices.Contains(mounts, path) {
		return "", fmt.Errorf("server %s has no small disk", s.Name())
	}
	return path, nil
}

// mountsUnder lists the mount points in a folder, the innermost first.
func mountsUnder(dir string) ([]string, error) {
	dir, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	file, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, fmt.Errorf("list mounts: %w", err)
	}
	defer file.Close()
	unescape := strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`)
	var found []string
	for lines := bufio.NewScanner(file); lines.Scan(); {
		// The mount point is field 5 (proc_pid_mountinfo(5)).
		fields := strings.Fields(lines.Text())
		if len(fields) < 5 {
			continue
		}
		if point := unescape.Replace(fields[4]); strings.HasPrefix(point, dir+"/") {
			found = append(found, point)
		}
	}
	slices.Reverse(found)
	return found, nil
}

// unmountUnder unmounts everything in a folder, in use or not.
func unmountUnder(dir string) error {
	mounts, err := mountsUnder(dir)
	for _, point := range mounts {
		e := unix.Unmount(point, unix.MNT_DETACH)
		// Another program that cleans up here may have been quicker.
		if e != nil && !errors.Is(e, unix.EINVAL) && !errors.Is(e, unix.ENOENT) {
			err = errors.Join(err, fmt.Errorf("unmount %s: %w", point, e))
		}
	}
	return err
}
