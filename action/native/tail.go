package native

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strconv"
	"strings"

	"mpp/action/remote"
	"mpp/gtid"
	"mpp/link"
	"mpp/replication"
)

// BinlogEnd asks a host for the name of its server's last binary log, and its size in bytes.
// logBase is log_bin_basename.
func BinlogEnd(ctx context.Context, host remote.Host, logBase string) (log string, size uint64, err error) {
	dir, base := path.Split(logBase)
	out, err := host.Run(ctx, "cd "+remote.Quote(path.Clean(dir))+" && f=$(tail -n 1 "+remote.Quote(base+".index")+
		`) && f=${f##*/} && [ -n "$f" ] && stat -c '%s %n' -- "$f"`)
	if err != nil {
		return "", 0, fmt.Errorf("look for the end of the binary log: %w", err)
	}
	text, log, _ := strings.Cut(strings.TrimSpace(out.Stdout), " ")
	size, bad := strconv.ParseUint(text, 10, 64)
	if out.Exit != 0 || bad != nil || log == "" {
		return "", 0, fmt.Errorf("look for the end of the binary log %s on %s: %s", logBase, host, said(out))
	}
	return log, size, nil
}

// said is what a command wrote last, for an error.
func said(out remote.Output) string {
	if line := out.LastLine(); line != "" {
		return oneLine(line)
	}
	return fmt.Sprintf("exit status %d", out.Exit)
}

// BinlogText says which part of a server's binary log is wanted as text.
type BinlogText struct {
	// Base is log_bin_basename; Log the name of the first file, and Pos where in it.
	Base, Log string
	Pos       uint64
	// MariaDB prefers mariadb-binlog to mysqlbinlog. Program is a path to use instead; empty
	// means whichever is in the host's PATH.
	MariaDB bool
	Program string
	// Verbose adds comments that show rows as statements.
	Verbose bool
}

// truncated is what the programs say of an event that was not written to its end.
var truncated = regexp.MustCompile(`(?i)truncated`)

// Write writes the text to w, file after file. An event at the end of the last file that was not
// written to its end is left out.
func (b BinlogText) Write(ctx context.Context, host remote.Host, w io.Writer) error {
	out, err := host.Stream(ctx, b.command(), w)
	if err != nil {
		return fmt.Errorf("read the binary log: %w", err)
	}
	if out.Exit == exitLast && truncated.MatchString(out.Stderr) {
		return nil
	}
	if out.Exit != 0 {
		return fmt.Errorf("read the binary log on %s: %s", host, said(out))
	}
	return nil
}

// exitLast is the exit status of the command when the program failed on the last file.
const exitLast = 66

// command prints the files from Log on, each by a program of its own, so that one which cannot be
// read to its end is the last one, or an error.
func (b BinlogText) command() string {
	dir, base := path.Split(b.Base)
	program := "$(command -v mysqlbinlog || command -v mariadb-binlog)"
	switch {
	case b.Program != "":
		program = remote.Quote(b.Program)
	case b.MariaDB:
		program = "$(command -v mariadb-binlog || command -v mysqlbinlog)"
	}
	verbose := "v=\n"
	if b.Verbose {
		verbose = "v=--verbose\n"
	}
	return "cd " + remote.Quote(path.Clean(dir)) + " || exit\n" +
		"p=" + program + " || { echo 'neither mysqlbinlog nor mariadb-binlog is there' >&2; exit 65; }\n" +
		"first=" + remote.Quote(b.Log) + "\n" +
		`all=$(sed 's#.*/##' ` + remote.Quote(base+".index") + `) || exit` + "\n" +
		fmt.Sprintf("at=--start-position=%d\n", b.Pos) + verbose +
		`on=; last=; for f in $all; do last=$f; done` + "\n" +
		`for f in $all; do
  [ "$f" = "$first" ] && on=1
  [ "$on" ] || continue
  "$p" --no-defaults --verify-binlog-checksum $v $at "./$f" </dev/null || { [ "$f" = "$last" ] && exit ` + strconv.Itoa(exitLast) + `; exit 67; }
  at=
done
[ "$on" ] || { echo "$first is not in the index of the binary logs" >&2; exit 68; }`
}

// fileStart is where the first event of a binary log stands.
const fileStart = 4

// binlogTail is the step binlog-tail.
func binlogTail(ctx context.Context, t *task) (outcome, error) {
	peer := t.r.servers[t.step.Peer]
	if peer == nil || peer.node.Host == nil {
		return outcome{}, fmt.Errorf("commands cannot be run on the host of %s", t.step.Peer)
	}
	b := BinlogText{Base: t.step.Detail, Log: t.step.Log, Pos: t.step.LogPos, Program: t.r.o.BinlogProgram}
	if b.Base == "" {
		b.Base = t.r.LogBase(t.step.Peer)
	}
	if b.Base == "" {
		return outcome{}, fmt.Errorf("where %s keeps its binary logs is not known", t.step.Peer)
	}
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	b.MariaDB = s.dialect.Flavour == replication.MariaDB
	if err := t.ready(ctx, s); err != nil {
		return outcome{}, err
	}
	if s, err = t.session(ctx); err != nil {
		return outcome{}, err
	}
	var text string
	err = s.privileged(ctx, func() error {
		text, err = t.takeTail(ctx, peer.node.Host, b)
		if (errors.Is(err, errMiddle) || errors.Is(err, errGap)) && b.Pos > fileStart {
			b.Pos = fileStart
			text, err = t.takeTail(ctx, peer.node.Host, b)
		}
		return err
	})
	if settled := t.settlePosition(ctx, s); err == nil {
		err = settled
	}
	if err != nil {
		return outcome{}, err
	}
	p, err := t.position(ctx)
	return outcome{text: text, position: p}, err
}

// ready refuses unless the replica receives nothing and has executed what it received.
func (t *task) ready(ctx context.Context, s *session) error {
	r, err := t.read(ctx, s)
	if err != nil || r.link == nil {
		return err
	}
	left, err := r.left(s.dialect.Flavour)
	switch {
	case err != nil:
		return err
	case r.link.IO == "Yes":
		return refuse("it still receives from its source")
	case !left.IsEmpty():
		return refuse("it has received what it has not executed: %s", short(left.String()))
	case r.link.SQL == "Yes" && !r.link.ExecutedAll():
		return t.letGo(ctx, s, r.link)
	default:
		return nil
	}
}

// letGo ends an applier that holds the first part of a transaction of which the rest was never
// received: its locks would be in the way of the whole transaction.
func (t *task) letGo(ctx context.Context, s *session, l *replication.Link) error {
	e := t.begin(s, s.dialect.Stop(l.Name, replication.Applier))
	if !e.wait(ctx, hangAfter) && !t.leave(e) {
		other, err := t.session(ctx)
		if err != nil {
			return err
		}
		if !t.killAppliers(ctx, other) && !e.wait(ctx, untilEnd(ctx)) {
			return fmt.Errorf("%w: its applier holds the first part of a transaction of which the rest was never received, and lets go only"+
				" after a minute (with SYSTEM_USER granted to the failover account, at once)", errTimeUp)
		}
		return nil
	}
	if e.err != nil {
		return fmt.Errorf("stop applier: %w", e.err)
	}
	return nil
}

// takeTail executes what the text has and the node has not, on a connection of its own: the text
// sets many session variables.
func (t *task) takeTail(ctx context.Context, host remote.Host, b BinlogText) (string, error) {
	a := t.server.node.Account
	c, err := link.Target{Address: t.server.node.Address, User: a.User, Password: a.Password, TLS: a.TLS, Many: true}.Connector()
	if err != nil {
		return "", err
	}
	s, err := login(ctx, c)
	if err != nil {
		return "", err
	}
	defer s.cut()
	p, err := s.executed(ctx)
	if err != nil {
		return "", err
	}
	x, err := newApplier(ctx, s, p)
	if err != nil {
		return "", err
	}
	err = pipe(ctx, host, b, func(r io.Reader) error { return x.run(ctx, r) })
	if err != nil && x.taken > 0 {
		err = fmt.Errorf("%w (before that: %s)", err, x.told())
	}
	return x.told(), err
}

// pipe reads the text while it is printed. The reader's error comes first: the program's is then
// only that nobody reads any more.
func pipe(ctx context.Context, host remote.Host, b BinlogText, read func(io.Reader) error) error {
	r, w := io.Pipe()
	done := make(chan error, 1)
	go func() {
		err := b.Write(ctx, host, w)
		_ = w.CloseWithError(orEOF(err)) // never fails
		done <- err
	}()
	err := read(r)
	_ = r.CloseWithError(io.ErrClosedPipe) // never fails
	if printed := <-done; err == nil {
		err = printed
	}
	return err
}

func orEOF(err error) error {
	if err == nil {
		return io.EOF
	}
	return err
}

// settlePosition lets MariaDB count what was taken as executed: it has the old server's id, so that
// it is in gtid_binlog_pos, and not in gtid_current_pos.
func (t *task) settlePosition(ctx context.Context, s *session) error {
	if s.dialect.Flavour != replication.MariaDB {
		return nil
	}
	p, err := s.executed(ctx)
	if err != nil {
		return err
	}
	logged, err := gtid.Parse(s.dialect.Flavour, p.Binlog)
	if err != nil {
		return err
	}
	counted, err := gtid.Parse(s.dialect.Flavour, p.Executed)
	if err != nil {
		return err
	}
	if counted.Contains(logged) {
		return nil
	}
	l, err := t.link(ctx, s)
	if err != nil {
		return err
	}
	if l != nil {
		if err := s.say(ctx, s.dialect.Stop(l.Name, replication.Both)); err != nil {
			return fmt.Errorf("stop replica: %w", err)
		}
	}
	if err := s.exec(ctx, s.dialect.SetPositionSQL(counted.Union(logged).String())); err != nil {
		return fmt.Errorf("set gtid_slave_pos: %w", err)
	}
	if l != nil && l.SQL == "Yes" {
		if err := s.say(ctx, s.dialect.Start(l.Name, replication.Applier)); err != nil {
			return fmt.Errorf("start applier: %w", err)
		}
	}
	return nil
}
