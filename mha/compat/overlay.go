package compat

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"
)

//go:embed perl
var perl embed.FS

// overlayRoot is where the overlays are in perl, by the names that Perl requires them by.
const overlayRoot = "perl/overlay"

// mark begins the first line of every overlay; its version follows.
const mark = "# mpp-overlay "

// ErrForeign means that a file stands where an overlay belongs, and is not one.
var ErrForeign = errors.New("it is not MPP's")

// overlay is a Perl module of ours.
type overlay struct {
	// name is the file below a folder of @INC, such as MHA/NodeUtil.pm.
	name string
	text []byte
}

// overlays lists them, the optional one last.
func overlays() []overlay {
	var all []overlay
	err := fs.WalkDir(perl, overlayRoot, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := perl.ReadFile(file)
		all = append(all, overlay{name: strings.TrimPrefix(file, overlayRoot+"/"), text: text})
		return err
	})
	if err != nil {
		panic(err) // they are in the program
	}
	return all
}

// Write puts all overlays into a folder, for a process whose environment names it in PERL5LIB:
// they are in force for that process and what it starts on this host. What is there already and
// as it should be is left alone; a file that is not ours is an error that wraps ErrForeign.
func Write(folder string) error {
	for _, o := range overlays() {
		file := filepath.Join(folder, filepath.FromSlash(o.name))
		if err := o.write(file); err != nil {
			return fmt.Errorf("write overlay %s: %w", file, err)
		}
	}
	return nil
}

// write puts the overlay at file, whole or not at all, readable by everybody: whoever runs MHA
// must be able to.
func (o overlay) write(file string) error {
	there, err := os.ReadFile(file)
	switch {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return err
	case bytes.Equal(there, o.text):
		return os.Chmod(file, 0o644)
	case !bytes.HasPrefix(there, []byte(mark)):
		return ErrForeign
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	temporary, err := os.CreateTemp(filepath.Dir(file), "."+path.Base(o.name)+".mpp-*")
	if err != nil {
		return err
	}
	_, err = temporary.Write(o.text)
	err = errors.Join(err, temporary.Chmod(0o644), temporary.Sync(), temporary.Close())
	if err == nil {
		err = os.Rename(temporary.Name(), file)
	}
	if err != nil {
		return errors.Join(err, os.Remove(temporary.Name()))
	}
	return nil
}
