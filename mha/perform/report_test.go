package perform

import (
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"mpp/mha/hook"
)

// inbox is an SMTP server that keeps what it gets.
type inbox struct {
	mu  sync.Mutex
	got string
}

func (b *inbox) NewSession(*smtp.Conn) (smtp.Session, error) { return b, nil }
func (b *inbox) Reset()                                      {}
func (b *inbox) Logout() error                               { return nil }
func (b *inbox) Mail(from string, _ *smtp.MailOptions) error { return b.add("from " + from + "\n") }
func (b *inbox) Rcpt(to string, _ *smtp.RcptOptions) error   { return b.add("to " + to + "\n") }

func (b *inbox) Data(r io.Reader) error {
	text, err := io.ReadAll(r)
	_ = b.add(strings.ReplaceAll(string(text), "\r\n", "\n"))
	return err
}

func (b *inbox) add(text string) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got += text
	return nil
}

func (b *inbox) serve(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := smtp.NewServer(b)
	s.Domain = "localhost"
	done := make(chan struct{})
	go func() { defer close(done); _ = s.Serve(l) }()
	t.Cleanup(func() { _ = s.Close(); <-done })
	return l.Addr().String()
}

// report calls the report program as MHA does.
func (w *world) report(args ...string) (int, string) {
	var out bytes.Buffer
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	all := []string{"--state-dir=" + filepath.Join(w.dir, "state"), "--orig_master_host=db1", "--conf=/etc/mha/app.cnf", "--subject=app: MySQL Master failover db1 to db2 succeeded", "--body=Invalidated master IP address on db1.\n"}
	return Report(ctx, System{Out: &out}, append(all, args...)), out.String()
}

func TestTheReportTellsWhatTheHooksOfThisFailoverDid(t *testing.T) {
	w, b := newWorld(t, ""), &inbox{}
	w.write("stuck", "", 0o600)
	w.call(hook.Failover, origArgs+" --command=stop")
	if err := os.Remove(filepath.Join(w.dir, "stuck")); err != nil {
		t.Fatal(err)
	}
	w.call(hook.Failover, "--command=start --ssh_user=root "+origArgs+newArgs)
	w.write("program", "#!/bin/sh\ncat >"+w.dir+"/told\necho \"$MPP_OLD $MPP_NEW\" >>"+w.dir+"/told\n", 0o700)
	code, text := w.report("--new_master_host=db2", "--new_slave_hosts=db3", "--mail-to=dba@example.com", "--smtp="+b.serve(t), "--report-program="+filepath.Join(w.dir, "program"))
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, text)
	}
	for _, part := range []string{
		"to dba@example.com\n", "Subject: [look at this] app: MySQL Master failover db1 to db2 succeeded\n", "LOOK AT THIS: master_ip_failover stop: NOT FENCED",
		"Invalidated master IP address on db1.", "FAILED remove-address at 127.0.0.2:1", "done   add-address at 127.0.0.3:1",
	} {
		if !strings.Contains(strings.ReplaceAll(b.got, "=\n", ""), part) {
			t.Errorf("no %q in the mail:\n%s", part, b.got)
		}
	}
	if told, err := os.ReadFile(filepath.Join(w.dir, "told")); err != nil || !strings.Contains(string(told), "NOT FENCED") || !strings.HasSuffix(string(told), "\ndb1 db2\n") {
		t.Errorf("the program was told %q, %v", told, err)
	}
}

func TestAReportThatCannotBeSentIsKept(t *testing.T) {
	w := newWorld(t, "")
	code, text := w.report("--mail-to=dba@example.com", "--smtp=127.0.0.1:1")
	kept, err := os.ReadFile(filepath.Join(w.dir, "state", "db1.report"))
	if code != hook.ExitFailed || err != nil || !strings.Contains(text, "it is in ") || !strings.Contains(string(kept), "nothing that it knows of") {
		t.Errorf("exit code %d, %s, kept %q (%v)", code, text, kept, err)
	}
}

func TestMHAHelpersConfigurationSaysWhoGetsTheReport(t *testing.T) {
	w, b := newWorld(t, ""), &inbox{}
	if err := os.Mkdir(filepath.Join(w.dir, "helper"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write("helper/a.conf", "[default]\nvip_type=none\nreport_email=dba@example.info\nsmtp_host=no.such.host.example\n[db1]\nsmtp_host=127.0.0.1\n[db2]\n", 0o600)
	code, text := w.report("--helper="+filepath.Join(w.dir, "helper"), "--smtp="+b.serve(t))
	if code != 0 || !strings.Contains(b.got, "to dba@example.info\n") {
		t.Errorf("exit code %d, %s, got %s", code, text, b.got)
	}
}
