package remote

import (
	"context"
	"io"
	"strings"
)

// Host is where commands run. Exit statuses other than 0 are no errors: they are in the Output.
// An error is always an *Error.
type Host interface {
	// Run runs a command of the POSIX shell and returns what it wrote, up to 8 MiB.
	Run(ctx context.Context, command string) (Output, error)
	// Stream runs a command whose standard output goes to w as it comes, however much it is;
	// Output.Stdout is empty, and Output.Stderr has the last 64 KiB. When w fails, the command
	// is ended.
	Stream(ctx context.Context, command string, w io.Writer) (Output, error)
	// Feed is Stream with r as the command's standard input.
	Feed(ctx context.Context, command string, r io.Reader, w io.Writer) (Output, error)
	// Warm connects, so that the next call need not.
	Warm(ctx context.Context) error
	// Check tries what is needed and says in words what is wrong; nothing when all is well.
	Check(ctx context.Context) []string
	// String names the host, for people.
	String() string
	Close() error
}

// Output is what a command wrote, and its exit status (128 and the signal's number, when a signal
// ended it).
type Output struct {
	Stdout, Stderr string
	Exit           int
}

// LastLine is the last line of standard error that is not empty: what a program says when it
// gives up.
func (o Output) LastLine() string { return lastLine(o.Stderr) }

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return strings.TrimSpace(s[strings.LastIndexByte(s, '\n')+1:])
}

// Quote makes one word of the POSIX shell of s, whatever is in it.
func Quote(s string) string {
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}

// path is appended to PATH: what root needs is not in the PATH of everybody.
const path = ":/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
