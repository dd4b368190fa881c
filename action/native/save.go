package native

import (
	"bufio"
	"context"
	"crypto/sha256"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"mpp/gtid"
	"mpp/replication"
)

// wanted are the transactions that are to be saved.
type wanted struct {
	flavour string
	set     gtid.Set   // MySQL's
	extra   gtid.Extra // MariaDB's
	seen    []string
}

func newWanted(flavour, text string) (*wanted, error) {
	w := &wanted{flavour: flavour}
	var err error
	if flavour == replication.MariaDB {
		w.extra, err = gtid.ParseExtra(text)
	} else {
		w.set, err = gtid.Parse(flavour, text)
	}
	if err == nil && len(w.extra) == 0 && w.set.IsEmpty() {
		err = errors.New("no transactions are named that are to be saved")
	}
	return w, err
}

// has reports whether a transaction is wanted, and notes it.
func (w *wanted) has(e event, domain, server uint32, seq uint64) bool {
	if w.flavour == replication.MariaDB {
		found := slices.ContainsFunc(w.extra, func(p gtid.Part) bool {
			return p.Domain == domain && p.Server == server && p.First <= seq && seq <= p.Last
		})
		if found {
			w.seen = append(w.seen, fmt.Sprintf("%d-%d-%d", domain, server, seq))
		}
		return found
	}
	one, err := gtid.Parse(w.flavour, e.next)
	found := err == nil && !one.IsEmpty() && w.set.Contains(one)
	if found {
		w.seen = append(w.seen, e.next)
	}
	return found
}

// after reports whether a binary log begins before all that is wanted; before is what was in the
// logs before it.
func (w *wanted) after(before string) (bool, error) {
	if w.flavour != replication.MariaDB {
		set, err := gtid.Parse(w.flavour, before)
		return err == nil && w.set.Minus(set).Equal(w.set), err
	}
	for one := range strings.SplitSeq(before, ",") {
		var domain, server uint32
		var seq uint64
		if _, err := fmt.Sscanf(strings.TrimSpace(one), "%d-%d-%d", &domain, &server, &seq); err != nil {
			continue // there was nothing before
		}
		if slices.ContainsFunc(w.extra, func(p gtid.Part) bool { return p.Domain == domain && p.Server == server && seq >= p.First }) {
			return false, nil
		}
	}
	return true, nil
}

// missing says what was not found.
func (w *wanted) missing() string {
	if w.flavour != replication.MariaDB {
		seen, err := gtid.Parse(w.flavour, strings.Join(w.seen, ","))
		if err != nil {
			return err.Error()
		}
		return w.set.Minus(seen).String()
	}
	var list []string
	for _, p := range w.extra { // numbers may be skipped, but the last is there
		if last := fmt.Sprintf("%d-%d-%d", p.Domain, p.Server, p.Last); !slices.Contains(w.seen, last) {
			list = append(list, last)
		}
	}
	return strings.Join(list, ",")
}

// saveExtra is the step save-extra.
func saveExtra(ctx context.Context, t *task) (outcome, error) {
	host := t.server.node.Host
	switch {
	case t.r.o.SaveDir == "":
		return outcome{}, errors.New("no folder is configured to save transactions in")
	case host == nil:
		return outcome{}, errors.New("commands cannot be run on its host, where its binary logs are")
	}
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	w, err := newWanted(s.dialect.Flavour, t.step.GTID)
	if err != nil {
		return outcome{}, err
	}
	name := t.fileName()
	if _, err := os.Stat(name); err == nil {
		return outcome{text: "its own transactions are in " + name + " already"}, nil
	}
	log, whole, err := t.firstLog(ctx, s, w)
	if err != nil {
		return outcome{}, err
	}
	b := BinlogText{
		Base: s.logBase, Log: log, Pos: fileStart, Verbose: true,
		MariaDB: s.dialect.Flavour == replication.MariaDB, Program: t.r.o.BinlogProgram,
	}
	unwritten := ""
	err = writeFile(name, func(f io.Writer) error {
		x := &saver{w: w, out: bufio.NewWriter(f), mariaDB: b.MariaDB}
		x.header(t.step)
		if err := pipe(ctx, host, b, x.run); err != nil {
			return err
		}
		missing := w.missing()
		switch {
		case missing == "":
		case whole && b.MariaDB: // it gives a number before it writes, and keeps it when it cannot
			unwritten = fmt.Sprintf("; what was numbered up to %s was never written: its commit failed", short(missing))
		default:
			return fmt.Errorf("its binary logs do not have %s any more", short(missing))
		}
		return x.out.Flush()
	})
	if err != nil {
		return outcome{}, fmt.Errorf("save transactions: %w", err)
	}
	return outcome{text: fmt.Sprintf("saved its own transactions, %d of them, in %s%s", len(w.seen), name, unwritten)}, nil
}

// fileName is the same for the same transactions of the same node.
func (t *task) fileName() string {
	node := strings.NewReplacer(":", "_", "/", "_", "[", "", "]", "").Replace(t.step.Node)
	sum := sha256.Sum256([]byte(t.step.GTID))
	return filepath.Join(t.r.o.SaveDir, fmt.Sprintf("%s-%x.sql", node, sum[:6]))
}

// writeFile writes a file that is there as a whole or not at all.
func writeFile(name string, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
		return err
	}
	f, err := os.OpenFile(name+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	if err = write(f); err == nil {
		err = f.Sync()
	}
	if closed := f.Close(); err == nil {
		err = closed
	}
	if err == nil {
		return os.Rename(f.Name(), name)
	}
	if gone := os.Remove(f.Name()); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
		err = errors.Join(err, gone)
	}
	return err
}

// firstLog is the newest binary log that begins before everything that is wanted; whole says that
// there is one.
func (t *task) firstLog(ctx context.Context, s *session, w *wanted) (log string, whole bool, err error) {
	var logs []string
	err = s.ask(ctx, replication.BinlogsSQL, func(rows driver.Rows) (err error) {
		logs, err = replication.ReadBinlogs(rows)
		return err
	})
	if err != nil {
		return "", false, fmt.Errorf("list binary logs: %w", err)
	}
	if len(logs) == 0 {
		return "", false, errors.New("it has no binary log")
	}
	for _, log := range slices.Backward(logs) {
		var before string
		err := s.ask(ctx, replication.BinlogHeadSQL(log), func(rows driver.Rows) (err error) {
			before, err = replication.ReadBinlogHead(rows)
			return err
		})
		if err != nil {
			return "", false, fmt.Errorf("read %s: %w", log, err)
		}
		after, err := w.after(before)
		if err != nil {
			return "", false, fmt.Errorf("read %s: %w", log, err)
		}
		if after {
			return log, true, nil
		}
	}
	return logs[0], false, nil // what is missing is found out
}
