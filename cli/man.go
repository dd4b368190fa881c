package cli

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
	"github.com/spf13/pflag"

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
	if err := errors.Join(writePage(cmd, header, f), f.Close()); err != nil {
		return written, fmt.Errorf("write man page %s: %w", name, err)
	}
	return written + 1, nil
}

// writePage writes the generator's page as people expect one: options without the defaults
// that mean nothing, a command where one is wanted, the other programs below.
func writePage(cmd *cobra.Command, header *doc.GenManHeader, to io.Writer) error {
	var b bytes.Buffer
	if err := doc.GenMan(cmd, header, &b); err != nil {
		return err
	}
	text := optionLine().ReplaceAllStringFunc(b.String(), func(line string) string {
		part := optionLine().FindStringSubmatch(line)
		return part[1] + valueOf(flagOf(cmd, part[2]))
	})
	if path := cmd.CommandPath(); holdsOthers(cmd) {
		text = strings.Replace(text, "\\fB"+path+" [flags]\\fP", "\\fB"+path+" COMMAND [flags]\\fP", 1)
	}
	text = strings.TrimRight(text, "\n") // it ends with SEE ALSO: every command has a parent or others below
	_, err := io.WriteString(to, text+", \\fBmppd(8)\\fP, \\fBmpp-check(8)\\fP\n")
	return err
}

// optionLine is an option with its default, as the generator writes it.
func optionLine() *regexp.Regexp {
	return regexp.MustCompile(`(?m)^((?:\\fB-\w\\fP, )?\\fB--([a-z0-9-]+)\\fP)\[?=.*$`)
}

func flagOf(cmd *cobra.Command, name string) *pflag.Flag {
	if flag := cmd.Flag(name); flag != nil {
		return flag
	}
	return cmd.InheritedFlags().Lookup(name)
}

// valueOf is what follows an option: the name of its value.
func valueOf(flag *pflag.Flag) string {
	if flag == nil || flag.Value.Type() == "bool" {
		return ""
	}
	name, _ := pflag.UnquoteUsage(flag)
	value := "=\\fI" + name + "\\fP"
	if flag.NoOptDefVal != "" {
		return "[" + value + "]"
	}
	return value
}

// holdsOthers reports whether a command does nothing but print its help by itself.
func holdsOthers(cmd *cobra.Command) bool {
	return !cmd.HasParent() || slices.Contains([]string{"config", "demo", "lab", "mha", "compat"}, cmd.Name())
}
