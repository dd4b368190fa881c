package compat

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mpp/action/remote"
)

// perlWith runs a piece of perl with folders in PERL5LIB and returns what it says.
func perlWith(t *testing.T, folders []string, code string) string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "perl", "-e", code)
	cmd.Env = append(os.Environ(), "PERL5LIB="+strings.Join(folders, ":"))
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("perl: %v: %s", err, out)
	}
	return string(out)
}

func written(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := Write(dir); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestVersionsAreParsedAsServersWriteThem(t *testing.T) {
	needPackages(t)
	got := perlWith(t, []string{written(t)}, `use strict; use warnings FATAL => 'all'; use MHA::NodeUtil;
		for my $version ('10.11.19-MariaDB-0+deb12u1-log', '5.5.5-10.11.19-MariaDB', '10.5.2-MariaDB', '8.0.36', '5.7.20-log', '9.7.0', '5.5.5-log', '5.6', '8') {
			printf "%s %s %s\n", $version, MHA::NodeUtil::parse_mysql_version($version), MHA::NodeUtil::parse_mysql_major_version($version) }
		printf "%d %d\n", MHA::NodeUtil::mysql_version_ge('10.11.19-MariaDB-0+deb12u1-log', '5.6.0'), MHA::NodeUtil::mysql_version_ge('5.5.62', '5.6.0');
		for my $version ('', 'log', undef) { eval { MHA::NodeUtil::parse_mysql_version($version) }; print $@ =~ /^no version in/ ? "refused\n" : "taken\n" }`)
	want := `10.11.19-MariaDB-0+deb12u1-log 010011019 010011
5.5.5-10.11.19-MariaDB 010011019 010011
10.5.2-MariaDB 010005002 010005
8.0.36 008000036 008000
5.7.20-log 005007020 005007
9.7.0 009007000 009007
5.5.5-log 005005005 005005
5.6 005006000 005006
8 008000000 008000
1 0
refused
refused
refused
`
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// clients makes a folder with programs that say of their version what real ones do.
func clients(t *testing.T, says map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range says {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\necho '"+text+"'\n"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestClientProgramsAreFoundByTheNameTheyHave(t *testing.T) {
	needPackages(t)
	// As those of MariaDB 10.11 of Debian 12, of 11.8, and of MySQL 9.7 say it.
	old := clients(t, map[string]string{
		"mysql": "mysql  Ver 15.1 Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64) using  EditLine wrapper", "mariadb": "",
		"mysqlbinlog": "mysqlbinlog Ver 3.5 for debian-linux-gnu at x86_64", "mariadb-binlog": "",
	})
	renamed := map[string]string{
		"mariadb":        "mariadb from 11.8.6-MariaDB, client 15.2 for debian-linux-gnu (x86_64) using  EditLine wrapper",
		"mariadb-binlog": "mariadb-binlog from 11.8.6-MariaDB, client 3.5 for debian-linux-gnu (x86_64)",
	}
	linked := clients(t, map[string]string{"mysql": renamed["mariadb"], "mysqlbinlog": renamed["mariadb-binlog"]})
	mysqls := clients(t, map[string]string{
		"mysql": "mysql  Ver 9.7.4 for Linux on x86_64 (Source distribution)", "mysqlbinlog": "mysqlbinlog  Ver 9.7.4-2 for Linux on x86_64 ((Debian))",
	})
	code := `use strict; use warnings FATAL => 'all'; use MHA::BinlogManager; $ENV{PATH} = shift @ARGV;
		my $m = MHA::BinlogManager->new( mysql_version => '8.0.36' ); $m->init_mysqlbinlog;
		print join '|', MHA::NodeUtil::client_cli_prefix('mysql'), $m->{mysqlbinlog}, $m->{mysqlbinlog_version},
		MHA::NodeUtil::client_cli_prefix( 'mysqlbinlog', '/opt/db', '/opt/lib' ), MHA::NodeUtil::client_cli_prefix( 'mysql', $ENV{PATH} )`
	const elsewhere = "LD_LIBRARY_PATH='/opt/lib':$LD_LIBRARY_PATH '/opt/db/mysqlbinlog'"
	for dir, want := range map[string]string{
		old:                 "mysql|mysqlbinlog|3.5|" + elsewhere + "|'DIR/mysql'",
		clients(t, renamed): "mariadb --binary-mode|mariadb-binlog|3.5|" + elsewhere + "|'DIR/mariadb' --binary-mode",
		linked:              "mysql --binary-mode|mysqlbinlog|3.5|" + elsewhere + "|'DIR/mysql' --binary-mode",
		mysqls:              "mysql --binary-mode|mysqlbinlog|9.7|" + elsewhere + "|'DIR/mysql' --binary-mode",
	} {
		got := perlWith(t, []string{written(t)}, "BEGIN { @ARGV = '"+dir+"' } "+code)
		if diff := cmp.Diff(strings.ReplaceAll(want, "DIR", dir), got); diff != "" {
			t.Errorf("%s: %s", dir, diff)
		}
	}
}

func TestOverlaysBeforeOverlaysLoadThePackagedModule(t *testing.T) {
	needPackages(t)
	one, two := written(t), written(t)
	for _, folders := range [][]string{{one}, {one, two}, {two, one}, {one, one}, {one, one + "/."}} {
		got := perlWith(t, folders, `use MHA::NodeUtil; use MHA::SlaveUtil; use MHA::ManagerConst; use Parallel::ForkManager;
			print join "\n", sort(grep { m{^/} && /NodeUtil|SlaveUtil|ForkManager/ } keys %INC), $INC{'MHA/NodeUtil.pm'}`)
		want := "/usr/share/perl5/MHA/NodeUtil.pm\n/usr/share/perl5/MHA/SlaveUtil.pm\n/usr/share/perl5/Parallel/ForkManager.pm\n" + folders[0] + "/MHA/NodeUtil.pm"
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%v: %s", folders, diff)
		}
	}
}

func TestOnlyMHAsChildrenAreLookedAfterMoreOften(t *testing.T) {
	needPackages(t)
	code := `use Parallel::ForkManager; for (1, 2) { my $all = Parallel::ForkManager->new(2);
		if ( !$all->start ) { $all->finish } $all->wait_all_children; print $all->waitpid_blocking_sleep, "\n" }`
	dir := []string{written(t)}
	if got := perlWith(t, dir, code); got != "1\n1\n" {
		t.Errorf("another program's: %q", got)
	}
	if got := perlWith(t, dir, "use MHA::ManagerConst; "+code); got != "0.02\n0.02\n" {
		t.Errorf("MHA's: %q", got)
	}
}

// mounted is this host with other folders and files in the place of some, for its commands only.
type mounted map[string]string

func (m mounted) String() string { return "a host" }

func (m mounted) Run(ctx context.Context, command string) (remote.Output, error) {
	script := "set -e\n"
	for place, with := range m {
		script += fmt.Sprintf("mount --bind %s %s\n", remote.Quote(with), remote.Quote(place))
	}
	return here().Run(ctx, "exec unshare --mount sh -c "+remote.Quote(script+"exec sh -c "+remote.Quote(command)))
}

func needMounts(t *testing.T) {
	t.Helper()
	needPackages(t)
	if out, err := exec.CommandContext(t.Context(), "unshare", "--mount", "mount", "--bind", "/tmp", "/tmp").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "\n*** %s: NOT TESTED: no mount namespace: %v: %s ***\n\n", t.Name(), err, out)
		t.Skip(err)
	}
}

func TestOverlaysGoWhereDebianLetsAdministratorsPutThem(t *testing.T) {
	needMounts(t)
	dir := t.TempDir()
	h := mounted{"/etc/perl": dir}
	r := on(t, h, Job{Verb: Install, Fast: true})
	if r.Folder != "/etc/perl" || !r.Works() || len(r.Changes) != 3 || module(t, r, nodeUtil).Loaded != "/etc/perl/"+nodeUtil {
		t.Errorf("install: %+v", r)
	}
	if r = on(t, h, Job{Verb: Remove}); len(r.Changes) != 3 || len(tree(t, dir)) != 0 || r.Works() {
		t.Errorf("remove: %+v, left %v", r, tree(t, dir))
	}
}

func TestRemoveAlsoWorksWhereMHAIsGone(t *testing.T) {
	needMounts(t)
	dir, none := t.TempDir(), t.TempDir()
	on(t, mounted{"/etc/perl": dir}, Job{Verb: Install})
	without := mounted{"/etc/perl": dir, "/usr/share/perl5/MHA": none}
	if r := try(t, without, Job{Verb: Status}); r.Works() || r.Error != "" || r.Node.Installed() || len(r.Modules) != 0 {
		t.Errorf("status without MHA: %+v", r)
	}
	if r := on(t, without, Job{Verb: Remove}); len(r.Changes) != 2 || len(tree(t, dir)) != 0 {
		t.Errorf("remove without MHA: %+v, left %v", r, tree(t, dir))
	}
	if r := try(t, without, Job{Verb: Install}); r.ErrorKind != Refused || !strings.Contains(r.Error, "not installed") {
		t.Errorf("install without MHA: %+v", r)
	}
}

// packagedWith is MHA's folder with one file changed.
func packagedWith(t *testing.T, name, from, to string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("/usr/share/perl5/MHA")); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, name)
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), from) {
		t.Fatalf("%s has no %q: %v", file, from, err)
	}
	put(t, file, strings.ReplaceAll(string(text), from, to))
	return dir
}

func TestAModuleWithoutAFaultIsLeftAsItIs(t *testing.T) {
	needMounts(t)
	dir := t.TempDir()
	mended := packagedWith(t, "SlaveUtil.pm", "sub check_if_super_read_only {", "sub check_if_super_read_only { return ( 0, 0 );")
	r := on(t, mounted{"/etc/perl": dir, "/usr/share/perl5/MHA": mended}, Job{Verb: Install})
	if m := module(t, r, slaveUtil); m.Fault != "" || m.Overlay != None || !r.Works() || len(r.Changes) != 1 || len(r.Notes) != 0 {
		t.Errorf("install: %+v", r)
	}
}

func TestAnInstallThatDoesNotHelpIsUndone(t *testing.T) {
	needMounts(t)
	dir := t.TempDir()
	h := mounted{"/etc/perl": dir, "/usr/share/perl5/MHA": packagedWith(t, "SlaveUtil.pm", "use DBI;", "use DBI; use No::Such::Module;")}
	r := try(t, h, Job{Verb: Install})
	if r.ErrorKind != Trouble || !strings.Contains(r.Error, "No/Such/Module.pm") || len(r.Changes) != 0 || len(tree(t, dir)) != 0 {
		t.Errorf("install: %s: %s; %v, left %v", r.ErrorKind, r.Error, r.Changes, tree(t, dir))
	}
}

func TestMHAFromSourceIsMendedFromBeforeIt(t *testing.T) {
	needMounts(t)
	version := perlWith(t, nil, `printf '%vd', $^V`)
	local, none, dir := t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.CopyFS(local+"/perl/"+version+"/MHA", os.DirFS("/usr/share/perl5/MHA")); err != nil {
		t.Fatal(err)
	}
	r := on(t, mounted{"/usr/local/share": local, "/usr/share/perl5/MHA": none, "/etc/perl": dir}, Job{Verb: Install})
	if m := module(t, r, nodeUtil); !r.Works() || m.Packaged != "/usr/local/share/perl/"+version+"/"+nodeUtil || m.Loaded != "/etc/perl/"+nodeUtil {
		t.Errorf("install: %+v", r)
	}
}

// nobody is such a host for a user who may do nothing.
type nobody struct{ mounted }

func (n nobody) Run(ctx context.Context, command string) (remote.Output, error) {
	return n.mounted.Run(ctx, "exec setpriv --reuid 65534 --regid 65534 --clear-groups sh -c "+remote.Quote(command))
}

func TestWhoMayNotWriteIsToldWhatItTakes(t *testing.T) {
	needMounts(t)
	h := nobody{mounted{"/etc/perl": t.TempDir()}}
	r := try(t, h, Job{Verb: Install})
	if want := "cannot make folder /etc/perl/MHA: Permission denied; it takes root, or --sudo"; r.ErrorKind != Trouble || r.Error != want {
		t.Errorf("install: %s: %s", r.ErrorKind, r.Error)
	}
	if r := try(t, h, Job{Verb: Remove}); r.Error != "" || len(r.Changes) != 0 {
		t.Errorf("remove where there is nothing: %+v", r)
	}
}

func TestAHostWithoutPerlSaysSo(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	h := strippedOfPath{}
	if r := try(t, h, Job{Verb: Status}); r.ErrorKind != Trouble || r.Error != "there is no perl here" {
		t.Errorf("%s: %s", r.ErrorKind, r.Error)
	}
}

// strippedOfPath runs commands with nothing in PATH.
type strippedOfPath struct{}

func (strippedOfPath) String() string { return "a host" }

func (strippedOfPath) Run(ctx context.Context, command string) (remote.Output, error) {
	return here().Run(ctx, "PATH=/nonexistent; export PATH\n"+command)
}
