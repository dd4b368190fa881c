package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"mpp/fault"
	"mpp/mha/conf"
	"mpp/mha/helperconf"
	"mpp/mha/takeover"
)

func newImport(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "import",
		Short:   "make a configuration out of that of another program",
		Long:    "import reads the configuration of another program and prints one for MPP.",
		Example: "  mpp import mha /etc/mha/app1.cnf --helper /etc/mha-helper",
	}
	group(cmd, "mpp import mha APP.cnf")
	cmd.AddCommand(newImportMHA(e))
	return cmd
}

// importCommand is mpp import mha.
type importCommand struct {
	*env
	global, helper string
	options        takeover.Options
	runScript      bool
}

func newImportMHA(e *env) *cobra.Command {
	c := &importCommand{env: e}
	cmd := &cobra.Command{
		Use:   "mha APP.cnf",
		Short: "take over the configuration of MHA, and of MHA Helper",
		Long: `mha reads the configuration of an application of MHA 0.58 as MHA reads it, and prints a pool
with engine = "native" that does the same: redirect it into a file. What has to be done before
mppd uses it stands at its beginning, and at its end every parameter that was not carried over,
with the reason and what to do instead. No server is asked and nothing is changed.

Passwords are never printed: --passwords writes them into files of their own. With --helper the
address comes from MHA Helper's configuration, from the file that has the application's servers.
What init_conf_load_script prints is taken with --run-script only.

Exit code 0: it was printed, perhaps with warnings; 5: MHA's files, or MHA Helper's, are wrong.`,
		Example: `  mpp import mha /etc/mha/app1.cnf > app1.toml
  mpp import mha /etc/mha/app1.cnf --helper /etc/mha-helper --passwords /etc/mpp > /etc/mpp/mpp.toml
  mpp config check /etc/mpp/mpp.toml`,
		Args: exactly("file"),
		RunE: func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&c.global, "global", "", "MHA's global `FILE`; "+conf.GlobalFile+" where there is one")
	flags.StringVar(&c.helper, "helper", "", "the `DIR` of MHA Helper's configuration, such as "+helperconf.Dir)
	flags.StringVar(&c.options.Name, "name", "", "the pool's `NAME`; the file's name without its ending unless it is given")
	flags.StringVar(&c.options.Passwords, "passwords", "", "write the passwords into files in this `DIR`, readable by their owner only")
	flags.StringVar(&c.options.SSHKey, "key", "", "the private key `FILE` for ssh")
	flags.StringVar(&c.options.KnownHosts, "known-hosts", "", "the `FILE` of known hosts for ssh")
	flags.BoolVar(&c.runScript, "run-script", false, "run init_conf_load_script once, as MHA does at every start")
	for _, folder := range []string{"helper", "passwords"} {
		completes(cmd, folder, func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return nil, cobra.ShellCompDirectiveFilterDirs
		})
	}
	fixed(cmd, "name")
	return cmd
}

func (c *importCommand) run(ctx context.Context, file string) error {
	options := conf.Options{Global: c.global}
	if c.runScript {
		options.Script = func(command string) (string, error) {
			c.options.ScriptRan = true
			return c.script(ctx, command)
		}
	}
	app, err := conf.Load(file, options)
	if err != nil {
		return mistakes(err)
	}
	c.warn(app.Warnings)
	helper, err := c.cluster(app)
	if err != nil {
		return err
	}
	if folder := c.options.Passwords; folder != "" {
		if c.options.Passwords, err = filepath.Abs(folder); err != nil {
			return fmt.Errorf("find folder %s: %w", folder, err)
		}
	}
	result, err := takeover.Make(app, helper, c.options)
	if errors.Is(err, takeover.ErrName) {
		return usagef("", "--name: %v", err)
	}
	if err != nil {
		return mistakes(err)
	}
	if c.options.Passwords != "" {
		if err := writePasswords(result.Files); err != nil {
			return err
		}
	}
	return c.print(result.TOML)
}

// cluster is the file of MHA Helper's that has the application's servers; nil without --helper.
func (c *importCommand) cluster(app *conf.Config) (*helperconf.Cluster, error) {
	if c.helper == "" {
		return nil, nil
	}
	clusters, err := helperconf.Load(c.helper)
	if err != nil && len(clusters) == 0 {
		return nil, mistakes(err)
	}
	helper, err := takeover.Helper(app, clusters)
	var problems *fault.Problems
	switch {
	case errors.As(err, &problems):
		return nil, mistakes(err)
	case errors.Is(err, takeover.ErrNoCluster):
		return nil, &failure{code: ExitTrouble, text: err.Error(), hint: "a section of MHA Helper's is called by the hostname that MHA's file has: mend the names, or leave --helper out"}
	case err != nil:
		return nil, &failure{code: ExitTrouble, text: err.Error(), hint: "name a folder that holds the file of this application alone"}
	}
	c.warn(helper.Warnings)
	return helper, nil
}

// script runs a command line as MHA does, by a shell. Its exit code counts for nothing, as there;
// what it says on its standard error goes to the terminal.
func (c *importCommand) script(ctx context.Context, command string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var out bytes.Buffer
	shell := exec.CommandContext(ctx, "/bin/sh", "-c", command)
	shell.Stdout, shell.Stderr = &out, c.sys.Err
	err := shell.Run()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return "", fmt.Errorf("no end within %s", c.timeout)
	case err != nil && !errors.As(err, &exit):
		return "", fmt.Errorf("start it: %w", err)
	}
	return out.String(), nil
}

// warn says on standard error what is worth a warning: standard output is a file, most likely.
func (c *importCommand) warn(list []fault.Problem) {
	for _, p := range list {
		fmt.Fprintf(c.sys.Err, "mpp: warning: %s\n", clean(p.String()))
	}
}

// mistakes is the end of a command that was given wrong files.
func mistakes(err error) error {
	var problems *fault.Problems
	if !errors.As(err, &problems) {
		return err
	}
	var lines []string
	for _, p := range problems.List {
		lines = append(lines, clean(p.String()))
	}
	if len(lines) == 1 {
		return &failure{code: ExitTrouble, text: lines[0]}
	}
	return &failure{code: ExitTrouble, text: fmt.Sprintf("%d mistakes:", len(lines)), hint: strings.Join(lines, "\n")}
}

// writePasswords writes the password files, all or none. One that is there already is left alone:
// it must hold the same.
func writePasswords(files []takeover.File) error {
	var missing []takeover.File
	for _, f := range files {
		there, err := os.ReadFile(f.Path)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			missing = append(missing, f)
		case err != nil:
			return fmt.Errorf("read password file: %w", err)
		case strings.TrimSuffix(string(there), "\n") != f.Password.Reveal():
			return &failure{code: ExitTrouble, text: f.Path + " holds another password than MHA's file", hint: "remove it, or name another folder with --passwords; nothing was written"}
		}
	}
	for i, f := range missing {
		if err := writePassword(f); err != nil {
			for _, written := range missing[:i] {
				_ = os.Remove(written.Path)
			}
			return err
		}
	}
	return nil
}

func writePassword(f takeover.File) error {
	file, err := os.OpenFile(f.Path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("write password file: %w", err)
	}
	_, err = file.WriteString(f.Password.Reveal() + "\n")
	if err := errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(f.Path)
		return fmt.Errorf("write password file: %w", err)
	}
	return nil
}
