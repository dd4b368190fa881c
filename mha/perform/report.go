package perform

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mpp/mha/helperconf"
	"mpp/mha/hook"
	"mpp/mha/mail"
)

// reportLimit bounds the sending of a report; MHA waits for it, when all else is done.
const reportLimit = 30 * time.Second

// Report is one call of the report program; it returns the exit code, which MHA only notes.
func Report(ctx context.Context, sys System, args []string) int {
	log := &journal{w: sys.Out, name: "master_failover_report"}
	r, err := hook.ParseReport(args)
	for _, note := range r.Notes {
		log.say(info, "%s", note)
	}
	if err != nil {
		log.say(failed, "%v", err)
		return hook.ExitFailed
	}
	done, err := calls(&r.Options, r.Orig)
	if err != nil {
		log.say(warning, "%v", err)
	}
	m := mail.Message{From: cmp.Or(r.Mail.From, "mpp@"+hostname())}
	m.Subject, m.Body = hook.Compose(&r, done)
	ctx, cancel := context.WithTimeout(ctx, reportLimit)
	defer cancel()
	if err := deliver(ctx, log, &r, m); err != nil {
		log.say(failed, "%v%s", err, saved(&r, m))
		return hook.ExitFailed
	}
	return hook.ExitDone
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil || name == "" {
		return "localhost"
	}
	return name
}

// deliver hands the report to everybody who is to get it.
func deliver(ctx context.Context, log *journal, r *hook.Report, m mail.Message) error {
	server, err := mailServer(r, &m)
	if err != nil {
		return err
	}
	if len(m.To) == 0 && r.Mail.Program == "" {
		return errors.New("nobody is to get the report: say --mail-to=ADDRESS or --report-program=FILE, or report_email in MHA Helper's configuration")
	}
	var bad []error
	if r.Mail.Program != "" {
		if err := tellProgram(ctx, r, m); err != nil {
			bad = append(bad, err)
		} else {
			log.say(info, "%s has the report", r.Mail.Program)
		}
	}
	if len(m.To) > 0 {
		if err := mail.Send(ctx, server, m); err != nil {
			bad = append(bad, err)
		} else {
			log.say(info, "the report is on its way to %s by %s", strings.Join(m.To, ", "), server.Address)
		}
	}
	return errors.Join(bad...)
}

// mailServer is by whom, and notes to whom the report is sent: as the arguments say, or else as MHA
// Helper's configuration does for the old master.
func mailServer(r *hook.Report, m *mail.Message) (mail.Server, error) {
	s := mail.Server{Address: r.Mail.Server, TLS: mail.TLS(r.Mail.TLS), CA: r.Mail.CA, User: r.Mail.User}
	m.To = r.Mail.To
	if r.Mail.PasswordFile != "" {
		text, err := os.ReadFile(r.Mail.PasswordFile)
		if err != nil {
			return s, fmt.Errorf("read the mail server's password: %w", err)
		}
		s.Password = strings.TrimRight(string(text), "\r\n")
	}
	dir := cmp.Or(r.Options.Helper, helperconf.Dir)
	if r.Options.Helper == "" && !exists(dir) {
		s.Address = cmp.Or(s.Address, "localhost")
		return s, nil
	}
	hosts := []string{r.Orig}
	if r.New != "" {
		hosts = append(hosts, r.New)
	}
	clusters, _ := helperconf.Load(dir) // nothing that is wrong there keeps a report from being sent
	cluster, err := helperconf.Find(clusters, hosts...)
	if err != nil && len(m.To) == 0 {
		return s, err
	}
	if err == nil {
		h, _ := cluster.Host(r.Orig)
		if len(m.To) == 0 && h.ReportEmail != "" {
			m.To = []string{h.ReportEmail}
		}
		s.Address = cmp.Or(s.Address, h.SMTPHost)
	}
	s.Address = cmp.Or(s.Address, "localhost")
	return s, nil
}

// programLimit bounds the program that gets the report.
const programLimit = 10 * time.Second

// tellProgram gives the report to a program, on its standard input.
func tellProgram(ctx context.Context, r *hook.Report, m mail.Message) error {
	ctx, cancel := context.WithTimeout(ctx, programLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, r.Mail.Program)
	cmd.Stdin = bytes.NewReader([]byte(m.Body))
	cmd.Env = append(os.Environ(), "MPP_SUBJECT="+m.Subject, "MPP_OLD="+r.Orig, "MPP_NEW="+r.New, "MPP_SLAVES="+strings.Join(r.Slaves, ","), "MPP_CONF="+r.Conf)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = 200 * time.Millisecond
	err := cmd.Run()
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return nil
	case ctx.Err() != nil:
		return fmt.Errorf("run %s: no end within %s, killed", r.Mail.Program, programLimit)
	default:
		return fmt.Errorf("run %s: %w", r.Mail.Program, err)
	}
}

// saved keeps a report that could not be sent, and says where.
func saved(r *hook.Report, m mail.Message) string {
	dir := stateDir(&r.Options)
	file := filepath.Join(dir, plain(r.Orig)+".report")
	err := ownFolder(dir)
	if err == nil {
		err = os.WriteFile(file, []byte(m.Subject+"\n\n"+m.Body), 0o600)
	}
	if err != nil {
		return fmt.Sprintf("; nor could it be kept: %v", err)
	}
	return "; it is in " + file
}
