package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"

	"mpp"
)

func newMan(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "man DIR",
		Short: "write the man pages into a folder",
		Long: `man writes a man page of section 1 for mpp and each of its commands into DIR, which is
made when it is not there. SOURCE_DATE_EPOCH sets their date, for builds that repeat.`,
		Example: `  mpp man /usr/local/share/man/man1 && man mpp-status`,
		Args:    exactly("folder"),
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			written, err := e.manPages(cmd.Root(), args[0])
			if err != nil {
				return err
			}
			return e.print(fmt.Sprintf("%s in %s\n", plural(written, "man page"), clean(args[0])))
		},
	}
}

// manPages writes a page for cmd and each command below it, and returns how many.
func (e *env) manPages(root *cobra.Command, dir string) (int, error) {
	date := e.sys.Now().UTC()
	if epoch := e.sys.Getenv("SOURCE_DATE_EPOCH"); epoch != "" {
		seconds, err := strconv.ParseInt(epoch, 10, 64)
		if err != nil {
			return 0, usagef("", "SOURCE_DATE_EPOCH is %q; it counts seconds", epoch)
		}
		date = time.Unix(seconds, 0).UTC()
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return 0, fmt.Errorf("make folder for man pages: %w", err)
	}
	root.DisableAutoGenTag = true
	root.Long = strings.Join([]string{root.Long, exitCodesText, environmentText}, "\n\n")
	return manTree(root, dir, date)
}

func manTree(cmd *cobra.Command, dir string, date time.Time) (int, error) {
	written := 0
	for _, below := range cmd.Commands() {
		if !below.IsAvailableCommand() {
			continue
		}
		n, err := manTree(below, dir, date)
		if err != nil {
			return written, err
		}
		written += n
	}
	cmd.InitDefaultHelpFlag()
	name := filepath.Join(dir, strings.ReplaceAll(cmd.CommandPath(), " ", "-")+".1")
	f, err := os.Create(name)
	if err != nil {
		return written, fmt.Errorf("write man page: %w", err)
	}
	header := &doc.GenManHeader{Section: "1", Date: &date, Source: "mpp " + mpp.Version, Manual: "MySQL Pool-Poller"}
	if err := errors.Join(doc.GenMan(cmd, header, f), f.Close()); err != nil {
		return written, fmt.Errorf("write man page %s: %w", name, err)
	}
	return written + 1, nil
}
