package sandbox

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// diskDir is the name of the mount point in a server's folder.
const diskDir = "disk"

// ballastFile is what fills the disk.
const ballastFile = "ballast"

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
	if err := unix.Mount("mpp-sandbox", path, "tmpfs", unix.MS_NOSUID|unix.MS_NODEV|unix.MS_NOEXEC, options); err != nil {
		return fmt.Errorf("mount small disk: %w", err)
	}
	return nil
}

// FillDisk fills the server's small disk to the last block with a ballast file. It
// may be called again, and is an error for a server without such a disk.
func (s *Server) FillDisk() error {
	disk, err := s.disk()
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(disk, ballastFile), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("fill disk: %w", err)
	}
	defer file.Close()
	// The big blocks do most of it, the small ones take what is left.
	for _, size := range []int{1 << 20, 4 << 10, 1} {
		block := make([]byte, size)
		for err = nil; err == nil; {
			_, err = file.Write(block)
		}
		if !errors.Is(err, unix.ENOSPC) {
			return fmt.Errorf("fill disk: %w", err)
		}
	}
	s.logf("disk full")
	return nil
}

// FreeDisk removes the ballast file; it is no error if there is none.
func (s *Server) FreeDisk() error {
	disk, err := s.disk()
	if err != nil {
		return fmt.Errorf("free disk: %w", err)
	}
	err = os.Remove(filepath.Join(disk, ballastFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("free disk: %w", err)
	}
	s.logf("disk freed")
	return nil
}

// DiskFull tells whether FillDisk has filled the small disk.
func (s *Server) DiskFull() bool {
	_, err := os.Stat(filepath.Join(s.dir, diskDir, ballastFile))
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
