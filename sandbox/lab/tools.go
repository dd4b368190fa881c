package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"mpp/sandbox"
)

// toolsDir holds the programs that an installed server brings along, for sshd's PATH.
func (l *Lab) toolsDir() string { return filepath.Join(l.dir, "bin") }

// usualPath is sshd's own.
const usualPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// writeTools makes the programs that belong to the servers known on every host, as a package
// does. Only those: beside a fetched server lie others that would hide the machine's.
func (l *Lab) writeTools(base sandbox.Base) error {
	if err := os.MkdirAll(l.toolsDir(), 0o755); err != nil {
		return fmt.Errorf("write tools: %w", err)
	}
	for _, name := range []string{"mariadb-binlog", "mysqlbinlog", "mariadb-backup", "mbstream"} {
		program, err := base.Program(name)
		if err != nil {
			continue // the other product's, or not installed
		}
		script := "#!/bin/sh\nexec '" + strings.ReplaceAll(program, "'", `'\''`) + "' \"$@\"\n"
		if err := os.WriteFile(filepath.Join(l.toolsDir(), name), []byte(script), 0o755); err != nil {
			return fmt.Errorf("write tools: %w", err)
		}
	}
	return nil
}
