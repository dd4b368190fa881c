package native

import (
	"bytes"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"mpp"
	"mpp/action/remote"
	"mpp/replication"
)

// MariaDB's data is copied by mariadb-backup, from host to host through the manager: the donor's
// host sends a backup, the node's host unpacks and prepares it in a folder below its data
// directory while its server still runs; then the server is stopped, the folders are swapped, and
// the server is started. What was there before is removed when the server is up with the copy.

// The folders below the data directory.
const (
	newData = ".mpp-new"
	oldData = ".mpp-old"
)

// stopServer stops a database server by its unit, whatever it is called.
const stopServer = `for u in mysqld mysql mariadb; do systemctl is-active --quiet "$u" && exec systemctl stop "$u"; done
echo "no unit mysqld, mysql or mariadb is active" >&2; exit 1`

// backup sends a backup to standard output. Its standard input is an option file, so that no
// password is in the process list. Where the account cannot log in from the donor's own host, root
// is tried, by the socket.
const backup = `(
umask 077
d=$(mktemp -d) || exit
trap 'rm -rf "$d"' EXIT
cat > "$d/cnf" || exit
p=$(command -v mariadb-backup || command -v mariabackup) || { echo "mariadb-backup is not there" >&2; exit 65; }
c=$(command -v mariadb || command -v mysql)
if [ -n "$c" ] && ! "$c" --defaults-file="$d/cnf" -e 'SELECT 1' > "$d/log" 2>&1; then
  sed -i -e '/^user=/d; /^password=/d; /^host=/d; /^port=/d' -e 's/^#//' "$d/cnf"
fi
"$p" --defaults-file="$d/cnf" --backup --stream=xbstream --target-dir="$d/t" 2> "$d/log" || { tail -n 1 "$d/log" >&2; exit 70; }
)`

// unpack takes a backup from standard input, prepares it, and prints where its donor was.
const unpack = `(
cd "$data" || exit
rm -rf .mpp-new && mkdir -m 700 .mpp-new || exit
p=$(command -v mariadb-backup || command -v mariabackup) || { echo "mariadb-backup is not there" >&2; exit 65; }
mbstream -x -C .mpp-new || exit
"$p" --no-defaults --prepare --target-dir="$PWD/.mpp-new" > .mpp-new/.mpp-log 2>&1 || { tail -n 1 .mpp-new/.mpp-log >&2; exit 70; }
cat .mpp-new/*_binlog_info
)`

// swap puts the prepared copy in the place of the data.
const swap = `(
cd "$data" && [ -d .mpp-new ] && mkdir -p -m 700 .mpp-old || exit
owner=$(stat -c %u:%g .) || exit
find . -mindepth 1 -maxdepth 1 ! -name .mpp-new ! -name .mpp-old ! -name lost+found -exec mv -t .mpp-old {} + || exit
find .mpp-new -mindepth 1 -maxdepth 1 ! -name 'xtrabackup_*' ! -name 'mariadb_backup_*' ! -name backup-my.cnf ! -name .mpp-log -exec mv -t . {} + || exit
find .mpp-old -maxdepth 1 -type f \( -name '*.pem' -o -name '*.key' -o -name '*.cnf' -o -name '*.flag' \) -exec cp -a -t . {} + || exit
rm -rf .mpp-new && chown -R "$owner" . || exit
if command -v restorecon >/dev/null; then restorecon -R .; fi
)`

// copyMariaDB replaces the node's data by a copy of the donor's.
func (t *task) copyMariaDB(ctx context.Context, s, donor *session, peer *server) (*mpp.Position, error) {
	data, err := t.copyable(ctx, s, donor, peer)
	if err != nil {
		return nil, err
	}
	least, err := donor.executed(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := t.close(ctx); err != nil {
		return nil, err
	}
	host := t.server.node.Host
	in := "data=" + remote.Quote(data) + "\n"
	position, err := t.transfer(ctx, donor, peer, in+unpack)
	if err != nil {
		gone := command(ctx, host, in+`rm -rf "$data/`+newData+`"`)
		return nil, errors.Join(err, gone)
	}
	stop := t.r.o.StopCommand
	if stop == "" {
		stop = stopServer
	}
	if err := command(ctx, host, stop); err != nil {
		return nil, fmt.Errorf("stop its server: %w", err)
	}
	if err := t.down(ctx); err != nil {
		return nil, err
	}
	if err := command(ctx, host, in+swap); err != nil {
		return nil, fmt.Errorf("put the copy in place: %w; what it had is in %s/%s", err, data, oldData)
	}
	if err := t.start(ctx); err != nil {
		return nil, err
	}
	p, err := t.takeUp(ctx, position, least)
	if err != nil {
		return nil, fmt.Errorf("%w; what it had is in %s/%s", err, data, oldData)
	}
	err = command(ctx, host, in+`rm -rf "$data/`+oldData+`"`)
	return p, err
}

// takeUp gives the server that is up with the copy the copy's position: its binary logs and its own
// position are those of the data from before, or of the donor.
func (t *task) takeUp(ctx context.Context, position string, least replication.Position) (*mpp.Position, error) {
	s, err := t.back(ctx)
	if err != nil {
		return nil, err
	}
	for _, sql := range []string{replication.ResetBinlogsSQL, s.dialect.SetPositionSQL(position)} {
		if err := s.exec(ctx, sql); err != nil {
			return nil, fmt.Errorf("set the copy's position: %w", err)
		}
	}
	return t.compareCopy(ctx, s, least)
}

// copyable looks, before anything is touched, whether the data can be copied, and returns the
// node's data directory.
func (t *task) copyable(ctx context.Context, s, donor *session, peer *server) (data string, err error) {
	if t.server.node.Host == nil || peer.node.Host == nil {
		return "", refuse("commands cannot be run on the hosts of both nodes, which is how MariaDB's data is copied")
	}
	if s.dialect.Flavour != donor.dialect.Flavour || s.dialect.Series() != donor.dialect.Series() {
		return "", refuse("it is %s, and the node to copy is %s", s.dialect.Version, donor.dialect.Version)
	}
	for _, one := range []*session{donor, s} {
		var elsewhere string
		if data, _, elsewhere, err = one.dataDir(ctx); err != nil {
			return "", err
		}
		if elsewhere != "" {
			return "", refuse("a part of the data is outside of the data directory: %s", elsewhere)
		}
	}
	return data, nil
}

func (s *session) dataDir(ctx context.Context) (dir, socket, elsewhere string, err error) {
	err = s.ask(ctx, replication.DataDirSQL, func(rows driver.Rows) (err error) {
		dir, socket, elsewhere, err = replication.ReadDataDir(rows)
		return err
	})
	return dir, socket, elsewhere, err
}

// transfer sends the backup from host to host, and returns the position that is in it.
func (t *task) transfer(ctx context.Context, donor *session, peer *server, unpack string) (position string, err error) {
	options, err := optionFile(ctx, donor, peer)
	if err != nil {
		return "", err
	}
	r, w := io.Pipe()
	sent := make(chan error, 1)
	go func() {
		out, err := peer.node.Host.Feed(ctx, backup, strings.NewReader(options), w)
		if err == nil && out.Exit != 0 {
			err = fmt.Errorf("back up %s: %s", t.step.Peer, said(out))
		}
		_ = w.CloseWithError(orEOF(err)) // never fails
		sent <- err
	}()
	var info bytes.Buffer
	out, err := t.server.node.Host.Feed(ctx, unpack, r, &info)
	_ = r.CloseWithError(io.ErrClosedPipe) // never fails
	if failed := <-sent; failed != nil {
		return "", failed
	}
	if err == nil && out.Exit != 0 {
		err = fmt.Errorf("unpack the backup: %s", said(out))
	}
	if err != nil {
		return "", err
	}
	fields := strings.Fields(info.String()) // log, position in it, GTID
	if len(fields) < 3 {
		return "", errors.New("the backup does not say at which GTID it was made: the node to copy has no binary log, or no GTIDs")
	}
	return fields[2], nil
}

// optionFile is what mariadb-backup needs to know of the donor.
func optionFile(ctx context.Context, donor *session, peer *server) (string, error) {
	data, socket, _, err := donor.dataDir(ctx)
	if err != nil {
		return "", err
	}
	host, port, _ := net.SplitHostPort(peer.node.Address) // validated
	value := func(s string) string { return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(s) + `"` }
	return fmt.Sprintf("[client]\nuser=%s\npassword=%s\nhost=%s\nport=%s\n#socket=%s\n[mariadb-backup]\ndatadir=%s\n",
		value(peer.node.Account.User), value(peer.node.Account.Password), host, port, value(socket), value(data)), nil
}

// command runs a command on a host that is to end with exit status 0.
func command(ctx context.Context, host remote.Host, text string) error {
	out, err := host.Run(ctx, text)
	if err == nil && out.Exit != 0 {
		err = errors.New(said(out))
	}
	return err
}
