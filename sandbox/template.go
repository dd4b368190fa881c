package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
)

// makeTemplate returns an initialised data directory for the server, and makes it
// under dir first if it is not there yet (0.5 to 4 s). It appears whole or not at all.
func makeTemplate(ctx context.Context, base Base, dir string) (string, error) {
	id := fnv.New32a()
	id.Write([]byte(base.Server))
	path := filepath.Join(dir, fmt.Sprintf("%s-%s-%08x", strings.Split(string(base.Flavour), "-")[0], base.Version, id.Sum32()))
	if isDir(path) {
		return path, nil
	}
	unlock, err := lockFile(ctx, path+".lock")
	if err != nil {
		return "", fmt.Errorf("make template: %w", err)
	}
	defer unlock()
	if isDir(path) {
		return path, nil
	}
	part := path + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", fmt.Errorf("make template: %w", err)
	}
	if err := os.Mkdir(part, 0o755); err != nil {
		return "", fmt.Errorf("make template: %w", err)
	}
	defer os.RemoveAll(part)
	if base.MariaDB {
		err = initMariaDB(ctx, base, part)
	} else {
		err = initMySQL(ctx, base, part)
	}
	if err != nil {
		return "", fmt.Errorf("make template for %s: %w", base.Server, err)
	}
	if err := shareTree(part); err != nil {
		return "", fmt.Errorf("make template: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return "", fmt.Errorf("make template: %w", err)
	}
	return path, nil
}

// initMySQL lets the server initialise a data directory.
func initMySQL(ctx context.Context, base Base, dir string) error {
	args := append([]string{}, base.Args...)
	args = append(args, "--initialize-insecure", "--datadir="+dir, "--skip-log-bin",
		"--loose-innodb-redo-log-capacity=8M", "--innodb-buffer-pool-size=32M",
		"--innodb-flush-log-at-trx-commit=0", "--innodb-doublewrite=OFF", "--innodb-flush-method=nosync")
	if err := runInit(ctx, base, args, nil); err != nil {
		return err
	}
	// It holds the server's uuid, which every copy must make for itself.
	if err := os.Remove(filepath.Join(dir, "auto.cnf")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("remove server uuid: %w", err)
	}
	return nil
}

// initMariaDB feeds the server its own system tables, as mariadb-install-db does,
// but without the help texts, the test database and the anonymous accounts.
func initMariaDB(ctx context.Context, base Base, dir string) error {
	sql, err := systemTables(base)
	if err != nil {
		return err
	}
	if err := os.Mkdir(filepath.Join(dir, "mysql"), 0o755); err != nil {
		return fmt.Errorf("make system schema: %w", err)
	}
	args := append([]string{}, base.Args...)
	args = append(args, "--bootstrap", "--datadir="+dir, "--skip-log-bin", "--log-warnings=0",
		"--innodb-log-file-size=4M", "--innodb-buffer-pool-size=16M", "--innodb-flush-log-at-trx-commit=0",
		"--innodb-doublewrite=0", "--loose-innodb-flush-method=nosync", "--loose-enforce-storage-engine=")
	if err := runInit(ctx, base, args, sql); err != nil {
		return err
	}
	// A failed statement does not always make the server's exit status say so.
	for _, must := range []string{"mysql/db.frm", "mysql/servers.frm", "mysql/gtid_slave_pos.frm", "mysql/global_priv.frm"} {
		if _, err := os.Stat(filepath.Join(dir, must)); err != nil {
			return fmt.Errorf("check template: %w", err)
		}
	}
	return nil
}

// systemTables is the SQL text that makes MariaDB's system tables: root without a
// password on localhost.
func systemTables(base Base) (io.Reader, error) {
	root := filepath.Dir(filepath.Dir(base.Server))
	prefix, share := "", ""
	for _, dir := range []string{"share", "share/mariadb", "share/mysql"} {
		for _, p := range []string{"mariadb", "mysql"} { // renamed in 11.x
			if _, err := os.Stat(filepath.Join(root, dir, p+"_system_tables.sql")); err == nil && share == "" {
				prefix, share = p, filepath.Join(root, dir)
			}
		}
	}
	if share == "" {
		return nil, fmt.Errorf("find system tables: no *_system_tables.sql under %s/share", root)
	}
	// The bootstrap parser wants each statement on lines of its own.
	text := bytes.NewBufferString("USE mysql;\nSET @auth_root_socket=NULL;\n")
	for _, name := range []string{
		prefix + "_system_tables.sql", prefix + "_performance_tables.sql",
		prefix + "_system_tables_data.sql", "maria_add_gis_sp_bootstrap.sql", prefix + "_sys_schema.sql",
	} {
		sql, err := os.ReadFile(filepath.Join(share, name))
		if errors.Is(err, os.ErrNotExist) && name == prefix+"_sys_schema.sql" {
			continue // 10.5 has none
		}
		if err != nil {
			return nil, fmt.Errorf("read system tables: %w", err)
		}
		text.Write(sql)
		text.WriteByte('\n')
	}
	return text, nil
}

// runInit runs the server in the foreground until it exits.
func runInit(ctx context.Context, base Base, args []string, stdin io.Reader) error {
	var said tail
	cmd := exec.CommandContext(ctx, base.Server, append(args, userArgs()...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &said, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("initialise data directory: %w\n%s", err, said.String())
	}
	return nil
}

// userArgs lets a server run as root, which it refuses unless told.
func userArgs() []string {
	if os.Geteuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// shareTree lets other users of a common cache copy the template. It holds no
// secret: the keys in it serve throw-away servers on loopback addresses.
func shareTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry os.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir():
			return os.Chmod(path, 0o755)
		case entry.Type().IsRegular():
			return os.Chmod(path, 0o644)
		default:
			return nil
		}
	})
}

// copyTree copies a folder of plain files, leaving holes where a file has zeros.
func copyTree(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		target := filepath.Join(to, rel)
		switch {
		case entry.IsDir():
			return os.MkdirAll(target, 0o700)
		case entry.Type().IsRegular():
			return copySparse(path, target)
		default:
			return nil
		}
	})
}

// copySparse copies one file, and writes no block that holds only zeros.
func copySparse(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	block, zero := make([]byte, 64<<10), make([]byte, 64<<10)
	var size int64
	for {
		n, err := io.ReadFull(in, block)
		if n > 0 && !bytes.Equal(block[:n], zero[:n]) {
			if _, err := out.WriteAt(block[:n], size); err != nil {
				return err
			}
		}
		size += int64(n)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return out.Truncate(size)
		}
		if err != nil {
			return err
		}
	}
}
