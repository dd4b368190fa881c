// Command mppd watches pools of MySQL and MariaDB servers, judges them, and answers for them.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/rs/zerolog"

	"mpp"
	"mpp/config"
	"mpp/daemon"
)

// The exit codes of mppd.
const (
	exitOK = iota
	exitFailed
	exitUsage
)

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

func run(args []string, out, errs io.Writer) int {
	flags := flag.NewFlagSet("mppd", flag.ContinueOnError)
	flags.SetOutput(errs)
	path := flags.String("config", "/etc/mpp/mpp.toml", "configuration `file`, or a folder of *.toml files")
	check := flags.Bool("check", false, "validate the configuration, say what is wrong with it, and exit")
	version := flags.Bool("version", false, "print the version and exit")
	flags.Usage = func() {
		fmt.Fprintf(errs, "mppd %s watches pools of MySQL and MariaDB servers.\n\nUsage: mppd -config FILE [-check]\n\n", mpp.Version)
		flags.PrintDefaults()
		fmt.Fprint(errs, "\nSignals: HUP reloads the configuration, TERM and INT stop within a second.\nExit codes: 0 stopped in order (or -check found nothing), 1 failed, 2 wrong usage.\n")
	}
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return exitOK
		}
		return exitUsage
	}
	if flags.NArg() > 0 {
		fmt.Fprintf(errs, "mppd: unexpected argument %q; the configuration is named by -config\n", flags.Arg(0))
		return exitUsage
	}
	if *version {
		fmt.Fprintln(out, "mppd "+mpp.Version)
		return exitOK
	}
	if *check {
		text, ok := config.CheckText(*path)
		fmt.Fprint(out, text)
		if !ok {
			return exitFailed
		}
		return exitOK
	}
	if err := serve(*path, errs); err != nil {
		fmt.Fprintf(errs, "mppd: %v\n", err)
		return exitFailed
	}
	return exitOK
}

// serve runs the daemon until a signal ends it.
func serve(path string, errs io.Writer) error {
	// Taken first: a SIGHUP during the start must not kill, but be answered later.
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	// A limit on file sizes is an error of a write, and no reason to die.
	signal.Ignore(syscall.SIGXFSZ)
	c, err := config.Load(path)
	if err != nil {
		return err
	}
	log := logger(c.Log, errs)
	for _, w := range c.Warnings {
		log.Warn().Msg(w.String())
	}
	d, err := daemon.New(daemon.Options{Config: c, Path: path, Log: log})
	if err != nil {
		return err
	}
	ctx, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	defer cancel()
	reloads := make(chan struct{})
	go func() {
		defer close(reloads)
		for {
			select {
			case <-ctx.Done():
				return
			case <-hup:
				reload(ctx, d, log)
			}
		}
	}()
	err = d.Run(ctx)
	cancel()
	<-reloads
	return err
}

// reloadLimit bounds a reload by signal.
const reloadLimit = 30 * time.Second

func reload(ctx context.Context, d *daemon.Daemon, log zerolog.Logger) {
	ctx, cancel := context.WithTimeout(ctx, reloadLimit)
	defer cancel()
	if err := d.Reload(ctx); err != nil {
		log.Error().Err(err).Msg("reload refused, the old configuration stays in force")
		return
	}
	log.Info().Msg("configuration reloaded")
}

// logger writes JSON, or lines for people where a terminal reads them.
func logger(c config.Log, errs io.Writer) zerolog.Logger {
	out := errs
	if c.Format == "console" || (c.Format == "auto" && isTerminal(errs)) {
		out = zerolog.ConsoleWriter{Out: errs, TimeFormat: time.RFC3339}
	}
	level, err := zerolog.ParseLevel(c.Level)
	if err != nil {
		level = zerolog.InfoLevel
	}
	return zerolog.New(out).Level(level).With().Timestamp().Logger()
}

func isTerminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
