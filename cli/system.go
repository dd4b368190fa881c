package cli

import (
	"io"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"golang.org/x/sys/unix"
)

// System is the outside world of one run. All fields must be set; OS gives the real ones.
type System struct {
	In       io.Reader
	Out, Err io.Writer
	// Getenv reads an environment variable, "" when it is not set.
	Getenv func(name string) string
	// Now reads the clock.
	Now func() time.Time
	// Zone is the zone that times are shown and read in, unless --utc is given.
	Zone *time.Location
	// Terminal measures the terminal that Out writes to; false when it is none.
	Terminal func() (Size, bool)
	// Dial prepares a client; it need not connect yet.
	Dial func(Target) (Client, error)
	// Build describes how the program was built, such as "go1.26.8, linux/amd64".
	Build string
}

// Size is that of a terminal in character cells; 0 means unknown.
type Size struct{ Width, Height int }

// OS returns the System of this process.
func OS() System {
	return System{
		In: os.Stdin, Out: os.Stdout, Err: os.Stderr,
		Getenv: os.Getenv, Now: time.Now, Zone: time.Local,
		Terminal: func() (Size, bool) { return terminalSize(os.Stdout) },
		Dial:     dial,
		Build:    buildText(),
	}
}

func terminalSize(f *os.File) (Size, bool) {
	ws, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return Size{}, false
	}
	return Size{Width: int(ws.Col), Height: int(ws.Row)}, true
}

func buildText() string {
	text := runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return text
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" && len(s.Value) >= 12 {
			text += ", revision " + s.Value[:12]
		}
		if s.Key == "vcs.modified" && s.Value == "true" {
			text += " with changes"
		}
	}
	return text
}
