package sandbox

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
)

// Flavour names a product and a release series, such as "mariadb-10.11".
type Flavour string

// The flavours that can be fetched, and Any, which takes whatever is at hand.
const (
	MariaDB105  Flavour = "mariadb-10.5"
	MariaDB1011 Flavour = "mariadb-10.11"
	MariaDB118  Flavour = "mariadb-11.8"
	MySQL97     Flavour = "mysql-9.7"
	Any         Flavour = "any"
)

// Flavours returns the flavours that can be fetched, the quickest to start first.
func Flavours() []Flavour {
	return []Flavour{MariaDB1011, MariaDB118, MariaDB105, MySQL97}
}

// Version is a server's release. The zero value means unknown.
type Version struct {
	Major int
	Minor int
	Patch int
}

// String returns the version as "10.11.19".
func (v Version) String() string {
	return fmt.Sprintf("%d.%d.%d", v.Major, v.Minor, v.Patch)
}

// AtLeast tells whether v is the given release or a later one.
func (v Version) AtLeast(major, minor, patch int) bool {
	w := Version{major, minor, patch}
	switch {
	case v.Major != w.Major:
		return v.Major > w.Major
	case v.Minor != w.Minor:
		return v.Minor > w.Minor
	default:
		return v.Patch >= w.Patch
	}
}

// Base is a server program that can be started: what Find returns.
type Base struct {
	// Flavour is the product and series that the program said it is, never Any.
	Flavour Flavour
	// Version is the full release.
	Version Version
	// MariaDB tells the two dialects apart.
	MariaDB bool
	// Server is the full path of mariadbd or mysqld.
	Server string
	// Args come first on the server's command line: where its own files are.
	Args []string
	// Template is an initialised data directory to copy from: root without a
	// password on localhost, no other account, no server identity.
	Template string
	// Origin says in words where the program was found.
	Origin string
}

// Program returns the path of a program that belongs to the server, such as
// "mariadb-binlog" or "mysqldump"; an error if it is neither beside the server
// nor in the bin folder next to it.
func (b Base) Program(name string) (string, error) {
	dir := filepath.Dir(b.Server)
	for _, p := range []string{filepath.Join(dir, name), filepath.Join(dir, "..", "bin", name)} {
		if isProgram(p) {
			return filepath.Clean(p), nil
		}
	}
	return "", fmt.Errorf("find program: no %s beside %s", name, b.Server)
}

// supported says why the programs of this base cannot be used, or nothing.
func (b Base) supported() error {
	if b.MariaDB && b.Version.AtLeast(10, 5, 0) || !b.MariaDB && b.Version.AtLeast(8, 0, 26) {
		return nil
	}
	return fmt.Errorf("%s %s is too old: want MariaDB 10.5 or MySQL 8.0.26 at least", b.Flavour, b.Version)
}

var versionLine = regexp.MustCompile(`Ver (\d+)\.(\d+)\.(\d+)(\S*)`)

// parseVersion reads the first line that the server prints for --version.
func parseVersion(out string) (Flavour, Version, error) {
	m := versionLine.FindStringSubmatch(out)
	if m == nil {
		return "", Version{}, fmt.Errorf("parse version: %q", strings.TrimSpace(out))
	}
	var n [3]int
	for i := range n {
		n[i], _ = strconv.Atoi(m[i+1])
	}
	product := "mysql"
	if strings.Contains(m[4], "MariaDB") {
		product = "mariadb"
	}
	return Flavour(fmt.Sprintf("%s-%d.%d", product, n[0], n[1])), Version{n[0], n[1], n[2]}, nil
}
