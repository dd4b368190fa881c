package remote

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"
)

// prologue is what a new shell is told first. mpp_call TOKEN LIMIT COMMAND runs a command in a
// subshell, so that a syntax error, an exit or a cd stays in there, and marks on both streams
// where its output begins and ends. The token is new for each call and cannot be guessed, so no
// output is taken for a mark. A command that comes after LIMIT, in hundredths of a second of the
// host's uptime, is not run: whoever sent it has given it up, and may have done the opposite
// since.
const prologue = `PATH=$PATH` + path + `; LC_ALL=C; export PATH LC_ALL; cd /
read -r mpp_id </proc/$$/stat; set -- $mpp_id; mpp_id="$1 $5 ${22}"; set --
mpp_call() {
read -r mpp_up mpp_idle </proc/uptime
mpp_up=${mpp_up%.*}${mpp_up#*.}
printf '%sb %s %s\n' "$1" "$mpp_up" "$mpp_id"; printf '%sb\n' "$1" >&2
if [ "$mpp_up" -gt "$2" ]; then mpp_exit=late
else ( mpp_command=$3; set --; eval "$mpp_command" ) </dev/null; mpp_exit=$?
fi
printf '%se %s\n' "$1" "$mpp_exit"; printf '%se\n' "$1" >&2
}
`

// identity names a process group on a host for good: process id, group, and start time since boot.
type identity struct{ pid, group, start string }

// killCommand ends the process group, if its leader is still the one that was meant.
func (i identity) killCommand() string {
	return fmt.Sprintf(`read -r s </proc/%s/stat && set -- $s && [ "${22}" = %s ] && kill -KILL -%s`, i.pid, i.start, i.group)
}

// conversation speaks with a shell over its standard streams. It knows nothing of ssh.
type conversation struct {
	stdin          io.Writer
	stdout, stderr *cutter
	clock          *clock
	id             identity
	// begun says that the host said something of the call under way.
	begun bool
}

// answer is the outcome of one command.
type answer struct {
	out  Output
	late bool
}

// exchange runs one command. It blocks for as long as the shell does: whoever calls it must be
// able to close the streams. After an error the conversation is over.
func (c *conversation) exchange(before, command string, deadline time.Time) (answer, error) {
	token, err := newToken()
	if err != nil {
		return answer{}, err
	}
	c.begun = false
	type half struct {
		text []byte
		err  error
	}
	stderr := make(chan half, 1)
	go func() {
		text, err := c.stderr.call(token, nil)
		stderr <- half{text, err}
	}()
	_, sent := fmt.Fprintf(c.stdin, "%smpp_call %s %d %s\n", before, token, c.clock.limit(deadline), Quote(command))
	stdout, err := c.stdout.call(token, c.begin)
	if errors.Is(err, errTooMuch) {
		return answer{}, err // the command goes on writing, and standard error does not end
	}
	e := <-stderr
	if err := errors.Join(err, e.err); err != nil {
		return answer{}, errors.Join(sent, err)
	}
	return answered(Output{Stdout: string(stdout), Stderr: string(e.text)}, c.stdout.said)
}

// answered puts the exit status to what a command wrote.
func answered(out Output, status string) (answer, error) {
	if status == "late" {
		return answer{late: true}, nil
	}
	exit, err := strconv.Atoi(status)
	if err != nil {
		return answer{}, fmt.Errorf("read exit status: %w", err)
	}
	out.Exit = exit
	return answer{out: out}, nil
}

// begin takes the line with which a call begins: the host's uptime, and who the shell is.
func (c *conversation) begin(line string) error {
	words := strings.Fields(line)
	if len(words) != 4 {
		return errors.New("the host has no /proc/uptime: only Linux will do")
	}
	up, err := strconv.ParseInt(words[0], 10, 64)
	if err != nil {
		return fmt.Errorf("read the host's uptime: %w", err)
	}
	c.clock.set(up, time.Now())
	c.id = identity{words[1], words[2], words[3]}
	c.begun = true
	return nil
}

func newToken() (string, error) {
	var b [16]byte
	if _, err := rand.Read(b[:]); err != nil {
		return "", fmt.Errorf("make token: %w", err)
	}
	return hex.EncodeToString(b[:]), nil
}

// cutter finds marks in a stream.
type cutter struct {
	r io.Reader
	// rest is what was read and not used yet.
	rest []byte
	// said is what followed the last mark on its line.
	said string
	// limit bounds what is kept, in bytes.
	limit int
}

// call returns what stands between the begin mark of a token and its end mark; begin, unless it
// is nil, gets what follows the former.
func (c *cutter) call(token string, begin func(string) error) ([]byte, error) {
	// What a background job or the login wrote before is nobody's.
	if _, err := c.until(token+"b", false); err != nil {
		return nil, err
	}
	if begin != nil {
		if err := begin(c.said); err != nil {
			return nil, err
		}
	}
	return c.until(token+"e", true)
}

// until reads up to a mark and the end of its line and returns what came before it, if it is to
// be kept.
func (c *cutter) until(mark string, keep bool) ([]byte, error) {
	chunk := make([]byte, 32<<10)
	from := 0
	for {
		if at := bytes.Index(c.rest[from:], []byte(mark)); at >= 0 {
			at += from
			if end := bytes.IndexByte(c.rest[at:], '\n'); end >= 0 {
				before := bytes.Clone(c.rest[:at])
				c.said = string(bytes.TrimSpace(c.rest[at+len(mark) : at+end]))
				c.rest = bytes.Clone(c.rest[at+end+1:])
				return before, nil
			}
			from = at
		} else {
			// The mark may have begun at the end.
			from = max(0, len(c.rest)-len(mark))
			if !keep {
				c.rest, from = c.rest[from:], 0
			}
		}
		if len(c.rest) > c.limit {
			return nil, errTooMuch
		}
		n, err := c.r.Read(chunk)
		c.rest = append(c.rest, chunk[:n]...)
		if n == 0 && err != nil {
			return nil, fmt.Errorf("read from shell: %w", err)
		}
	}
}

// forever is a limit that never strikes, for the first words with a host.
const forever = 1 << 50
