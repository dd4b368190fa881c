package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mpp"
)

const (
	// defaultWatch is the interval of a bare --watch: the default interval of polls.
	defaultWatch = "1s"
	// minWatch keeps a slip of the finger from keeping the daemon busy.
	minWatch = 100 * time.Millisecond
	// maxWatchWait is how long a picture waits for the daemon, unless the interval is longer.
	maxWatchWait = 2 * time.Second
)

// parseInterval reads "2s", "500ms", or bare seconds as watch(1) takes them.
func parseInterval(s string) (time.Duration, error) {
	if n, err := strconv.ParseFloat(s, 64); err == nil && n >= 0 && n < 1e6 {
		return time.Duration(n * float64(time.Second)), nil
	}
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf("%q is no interval; write 2s, 500ms or 2", s)
	}
	return d, nil
}

// repeat draws again and again, in place on a terminal, one below the other elsewhere. When
// the daemon goes away it shows what was last known, and says so; it ends with ctx, as a
// success. A first answer that never comes is an error.
func (s *statusCommand) repeat(ctx context.Context, interval time.Duration) error {
	_, onTerminal := s.sys.Terminal()
	if onTerminal {
		defer s.leaveTerminal()
	}
	// A picture must not stand for fresh while a stuck daemon is waited for.
	s.timeout = min(s.timeout, max(interval, maxWatchWait))
	ticks := time.NewTicker(interval)
	defer ticks.Stop()
	var last *mpp.View
	for {
		v, err := s.view(ctx)
		if ctx.Err() != nil {
			return nil //nolint:nilerr // Ctrl-C is how a watch ends
		}
		if err != nil && last == nil {
			return err
		}
		if err == nil {
			last = v
		}
		text, drawErr := s.frame(last, err)
		if drawErr != nil {
			return drawErr
		}
		if err := s.show(text, onTerminal); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticks.C:
		}
	}
}

// frame is one picture of a watch. trouble is why the view is not a new one, nil when it is.
func (s *statusCommand) frame(v *mpp.View, trouble error) (string, error) {
	pools, err := chosen(v, s.pools)
	if err != nil {
		return "", err
	}
	r := read(v, s.sys.Now())
	text := s.moment(r.now) + "\n"
	if trouble != nil {
		f := s.judge(trouble)
		text = s.moment(s.sys.Now()) + "\n" + s.page(s.wide).painted(loud,
			clean(fmt.Sprintf("STALE: this is from %s (%s): %s", s.moment(v.At), ago(r.now, v.At), f.text))) + "\n"
	}
	return text + s.draw(r, pools, r.findings(pools)), nil
}

// The few terminal controls that a redraw in place needs.
const (
	cursorHome = "\x1b[H"
	clearLine  = "\x1b[K"
	clearBelow = "\x1b[J"
	cursorHide = "\x1b[?25l"
	cursorShow = "\x1b[?25h"
)

func (s *statusCommand) show(text string, onTerminal bool) error {
	if !onTerminal {
		return s.print(text + "\n")
	}
	size, _ := s.sys.Terminal()
	lines := fitting(strings.Split(strings.TrimSuffix(text, "\n"), "\n"), size)
	return s.print(cursorHide + cursorHome + strings.Join(lines, clearLine+"\n") + clearLine + clearBelow)
}

// leaveTerminal puts the cursor below the last picture. There is nobody left to tell when
// that fails.
func (s *statusCommand) leaveTerminal() { _ = s.print(cursorShow + "\n") }

// fitting keeps as many lines as the terminal has room for, counting those that wrap, and
// says how many are left out.
func fitting(lines []string, size Size) []string {
	if size.Height < 2 {
		return lines
	}
	used := 0
	for i, line := range lines {
		used += rows(line, size.Width)
		if used > size.Height-1 && i < len(lines)-1 || used > size.Height {
			return append(lines[:i:i], fmt.Sprintf("… %d more lines", len(lines)-i))
		}
	}
	return lines
}

// rows is how many rows of a terminal a line takes.
func rows(line string, columns int) int {
	if columns < 1 {
		return 1
	}
	return max(1, (width(withoutColours(line))+columns-1)/columns)
}

// withoutColours drops what paint put around a text.
func withoutColours(s string) string {
	if !strings.Contains(s, "\x1b[") {
		return s
	}
	var b strings.Builder
	for {
		before, after, found := strings.Cut(s, "\x1b[")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		_, s, _ = strings.Cut(after, "m")
	}
}
