package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mpp"
	"mpp/config"
)

// defaultConfig is the configuration that mppd's service reads.
const defaultConfig = "/etc/mpp/mpp.toml"

func newConfig(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		Short:   "check a configuration before the daemon meets it",
		Long:    "config works on configuration files; the daemon is not asked.",
		Example: "  mpp config check",
	}
	group(cmd, "mpp config check [PATH]")
	cmd.AddCommand(newConfigCheck(e))
	return cmd
}

func newConfigCheck(e *env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "check [PATH]",
		Short: "find every mistake in a configuration",
		Long: `check reads a configuration, one file or a folder of *.toml, as mppd does, and prints
every mistake at once: the file, the line, the key, what is wrong and what to do. PATH is
` + defaultConfig + ` when it is left out. Passwords are read from where the configuration says,
so run it as the user that mppd runs as.

Exit code 0: mppd would take it, perhaps with warnings; 1: it would not.`,
		Example: `  mpp config check
  mpp config check ./conf.d && mpp reload`,
		Args: between(0, "path"),
		RunE: func(_ *cobra.Command, args []string) error {
			path := defaultConfig
			if len(args) > 0 {
				path = args[0]
			}
			return e.configCheck(path, asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the result as JSON")
	return cmd
}

// configReport is what config check found.
type configReport struct {
	Path string `json:"path"`
	// Valid says that mppd would take it.
	Valid    bool            `json:"valid"`
	Pools    int             `json:"pools"`
	Nodes    int             `json:"nodes"`
	Problems []configProblem `json:"problems"`
	Warnings []configProblem `json:"warnings"`
}

type configProblem struct {
	File string `json:"file"`
	// Line counts from 1; 0 means no line in particular.
	Line int    `json:"line,omitempty"`
	Key  string `json:"key,omitempty"`
	Text string `json:"text"`
	Hint string `json:"hint,omitempty"`
}

func (e *env) configCheck(path string, asJSON bool) error {
	loaded, err := config.Load(path)
	report := configReport{Path: path, Valid: err == nil, Problems: []configProblem{}, Warnings: []configProblem{}}
	var problems *config.Problems
	switch {
	case errors.As(err, &problems):
		report.Problems = reportOf(problems.List)
	case err != nil:
		return err
	default:
		report.Warnings = reportOf(loaded.Warnings)
		report.Pools = len(loaded.Pools)
		for i := range loaded.Pools {
			report.Nodes += len(loaded.Pools[i].Nodes)
		}
	}
	if asJSON {
		err = e.printJSON(report)
	} else {
		err = e.print(e.drawConfig(report))
	}
	if err == nil && !report.Valid {
		err = notOK()
	}
	return err
}

func reportOf(list []config.Problem) []configProblem {
	out := make([]configProblem, 0, len(list))
	for _, p := range list {
		out = append(out, configProblem(p))
	}
	return out
}

func (e *env) drawConfig(r configReport) string {
	p := e.page(true)
	var b strings.Builder
	for _, problem := range r.Problems {
		drawConfigProblem(&b, p, mpp.Fail, problem)
	}
	for _, warning := range r.Warnings {
		drawConfigProblem(&b, p, mpp.Warn, warning)
	}
	if !r.Valid {
		p.paint(&b, bad, clean(fmt.Sprintf("%s: not OK: %s", r.Path, plural(len(r.Problems), "mistake"))))
	} else {
		text := fmt.Sprintf("%s: OK: %s, %s", r.Path, plural(r.Pools, "pool"), plural(r.Nodes, "node"))
		if len(r.Warnings) > 0 {
			text += ", " + plural(len(r.Warnings), "warning")
		}
		p.paint(&b, good, clean(text))
	}
	b.WriteByte('\n')
	return b.String()
}

func drawConfigProblem(b *strings.Builder, p page, s mpp.Status, problem configProblem) {
	where := problem.File
	if problem.Line > 0 {
		where = fmt.Sprintf("%s:%d", problem.File, problem.Line)
	}
	if s < mpp.Fail {
		p.paint(b, statusStyle(s), "warning: ")
	}
	p.paint(b, bold, clean(where))
	b.WriteString(clean(": "+joined(": ", problem.Key, problem.Text)) + "\n")
	if problem.Hint != "" {
		b.WriteString("  " + clean(problem.Hint) + "\n")
	}
}
