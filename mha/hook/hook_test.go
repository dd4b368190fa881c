package hook

import (
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

// escape is what MHA 0.58 does (NodeUtil's escape_for_shell), and the shell takes back of it.
func escape(s string) (line string) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\'':
			b.WriteString(`'\''`)
		case strings.IndexByte("\"!#&;`|*?~<>^()[]{}$, \\", c) >= 0:
			b.WriteString(`\` + string(rune(c)))
		default:
			b.WriteByte(c)
		}
	}
	return "'" + b.String() + "'"
}

// unquote takes off what the shell does of what escape has put on.
func unquote(line string) string {
	return strings.ReplaceAll(strings.TrimSuffix(strings.TrimPrefix(line, "'"), "'"), `'\''`, `'`)
}

func TestEscapingIsUndoneForEveryByte(t *testing.T) {
	for first := 1; first < 256; first++ {
		for _, around := range []string{"", "a", `\`, `\\`, "'", "!", " "} {
			want := around + string([]byte{byte(first)}) + around
			if got := Unescape(unquote(escape(want))); got != want {
				t.Errorf("%q came back as %q", want, got)
			}
		}
	}
}

// The examples of what arrives were seen with MHA itself.
func TestArgumentsArriveAsSeen(t *testing.T) {
	got := map[string]string{}
	for _, arrives := range []string{`a\!b`, `a\ b`, `a\\b`, `a'b`, `\\\!`, `C:\new`, `\`, ``, `\\`} {
		got[arrives] = Unescape(arrives)
	}
	want := map[string]string{
		`a\!b`: "a!b", `a\ b`: "a b", `a\\b`: `a\b`, `a'b`: "a'b", `\\\!`: `\!`, `C:\new`: `C:\new`, `\`: `\`, ``: ``, `\\`: `\`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// TestTheRealShellTakesOffTheQuotes holds unquote against /bin/sh.
func TestTheRealShellTakesOffTheQuotes(t *testing.T) {
	var all strings.Builder
	for c := 1; c < 256; c++ {
		all.WriteByte(byte(c))
	}
	out, err := exec.CommandContext(t.Context(), "/bin/sh", "-c", "printf %s "+escape(all.String())).Output()
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(all.String(), Unescape(string(out))); diff != "" {
		t.Error(diff)
	}
}

func FuzzUnescape(f *testing.F) {
	f.Add(`p\a!s 's"`)
	f.Fuzz(func(t *testing.T, s string) {
		if strings.ContainsRune(s, 0) {
			return // no argument has one
		}
		if got := Unescape(unquote(escape(s))); got != s {
			t.Errorf("%q came back as %q", s, got)
		}
	})
}

func FuzzParse(f *testing.F) {
	f.Add("--command=stop\n--orig_master_host=db1\n--orig_master_password=a\\!b\n-x\n--")
	f.Fuzz(func(t *testing.T, text string) {
		for _, p := range []Program{Failover, Online, Shutdown} {
			r, err := Parse(p, strings.Split(text, "\n"))
			if err == nil {
				plan := Decide(&r, full())
				for _, line := range strings.Split(plan.String(), "\n") {
					if strings.Contains(line, "within 0s") {
						t.Errorf("a step has no limit: %s", line)
					}
				}
			}
		}
	})
}

// full is a pool with everything.
func full() *Setup {
	return &Setup{
		Address: true, Orig: Reach{SQL: true, Host: true}, New: Reach{SQL: true, Host: true}, Shutdown: true, Events: true, SemiSync: true,
		Limits: Limits{Fence: 500 * time.Millisecond, Shutdown: 10 * time.Second, Step: 10 * time.Second, Address: 2 * time.Second, KillAfter: 5 * time.Second},
	}
}

// helper is a pool as MHA Helper's configuration has it: an address, and MHA's account where MHA says
// it.
func helper(r *Request) *Setup {
	s := full()
	s.Shutdown, s.Events, s.SemiSync = false, false, false
	s.Orig.SQL, s.New.SQL = r.Orig.User != "", r.New.User != ""
	return s
}

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s (-want +got):\n%s", path, diff)
	}
}

// calls are MHA's, word for word (facts 1.1 to 1.3), with ssh extras in some.
func calls() []struct {
	name    string
	program Program
	args    string
} {
	orig := "--orig_master_host=db1 --orig_master_ip=10.0.0.1 --orig_master_port=3306"
	young := "--new_master_host=db2 --new_master_ip=10.0.0.2 --new_master_port=3307"
	return []struct {
		name    string
		program Program
		args    string
	}{
		{"failover-status", Failover, "--command=status --ssh_user=mha " + orig + " --orig_master_ssh_port=2222"},
		{"failover-stopssh", Failover, orig + " --command=stopssh --ssh_user=root"},
		{"failover-stop", Failover, orig + " --command=stop"},
		{"failover-start", Failover, "--command=start --ssh_user=root " + orig + " " + young + ` --new_master_user=mha --new_master_ssh_ip=192.168.0.2 --new_master_password=a\!b`},
		{"online-status", Online, "--command=status " + orig},
		{"online-stop", Online, "--command=stop " + orig + " --orig_master_user=mha " + young + ` --new_master_user=mha --orig_master_ssh_user=root --new_master_ssh_user=adm --orig_master_is_new_slave --orig_master_password=x\ y --new_master_password=x\ y`},
		{"online-start", Online, "--command=start " + orig + " --orig_master_user=mha " + young + ` --new_master_user=mha --orig_master_ssh_user=root --new_master_ssh_user=adm --orig_master_is_new_slave --orig_master_password=x\ y --new_master_password=x\ y`},
		{"shutdown-status", Shutdown, "--command=status --ssh_user=root --host=db1 --ip=10.0.0.1"},
		{"shutdown-stopssh", Shutdown, "--command=stopssh --ssh_user=root --host=db1 --ip=10.0.0.1 --port=3306 --pid_file=/run/mysqld.pid --ssh_port=2222"},
		{"shutdown-stop", Shutdown, "--command=stop --host=db1 --ip=10.0.0.1 --port=3306"},
	}
}

func TestPlanOfEachPhase(t *testing.T) {
	var text strings.Builder
	for _, c := range calls() {
		r, err := Parse(c.program, strings.Fields(c.args))
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		mpp, mha := Decide(&r, full()), Decide(&r, helper(&r))
		text.WriteString("# " + c.name + ", with MPP's configuration\n" + mpp.String() + "# " + c.name + ", with MHA Helper's\n" + mha.String() + "\n")
	}
	golden(t, "plans", text.String())
}

func TestArgumentsOfEachPhaseAreRead(t *testing.T) {
	all := calls()
	got, err := Parse(Online, append(splitted(all[5].args), "--new_idea=1", "--some_password=secret", "word"))
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		Program: Online, Phase: Stop, OrigIsNewSlave: true,
		Orig: Server{Host: "db1", IP: "10.0.0.1", Port: "3306", User: "mha", Password: "x y", SSH: SSH{User: "root"}},
		New:  Server{Host: "db2", IP: "10.0.0.2", Port: "3307", User: "mha", Password: "x y", SSH: SSH{User: "adm"}},
		Notes: []string{
			"not known and not heeded: --new_idea", "not known and not heeded: --some_password", "not known and not heeded: a word that is no argument",
		},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// splitted splits at blanks that no backslash stands before.
func splitted(line string) []string {
	words := strings.Split(strings.ReplaceAll(line, `\ `, "\x00"), " ")
	for i := range words {
		words[i] = strings.ReplaceAll(words[i], "\x00", `\ `)
	}
	return words
}

func TestArgumentsOfSSHAreRead(t *testing.T) {
	r, err := Parse(Failover, []string{
		"--orig_master_host=db1", "--orig_master_ip=10.0.0.1", "--orig_master_port=3306", "--new_master_host=db2", "--command=start", "--ssh_user=adm",
		"--orig_master_ssh_host=a1", "--orig_master_ssh_ip=10.1.0.1", "--orig_master_ssh_port=2222", "--new_master_ssh_port=2223", "--ssh_options=-o BatchMode=yes -i /k",
		"--config=/etc/mpp/hooks.toml", "--spare=backup,nagios", "--spare=zabbix", "--fence=required", "--pool=shop",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Request{
		Program: Failover, Phase: Start, SSHOptions: "-o BatchMode=yes -i /k",
		Orig:    Server{Host: "db1", IP: "10.0.0.1", Port: "3306", SSH: SSH{User: "adm", Host: "a1", IP: "10.1.0.1", Port: "2222"}},
		New:     Server{Host: "db2", Port: "3306", SSH: SSH{User: "adm", Port: "2223"}},
		Options: Options{Config: "/etc/mpp/hooks.toml", Spare: []string{"backup", "nagios", "zabbix"}, Fence: "required", Pool: "shop"},
	}
	if diff := cmp.Diff(want, r); diff != "" {
		t.Error(diff)
	}
	if got := r.Orig.SSHTarget() + " " + r.New.SSHTarget() + " " + r.New.Address(); got != "10.1.0.1 db2 db2:3306" {
		t.Errorf("ssh goes to, and the new master is: %s", got)
	}
}

func TestCallsThatMakeNoSenseAreToldAtOnce(t *testing.T) {
	_, err := Parse(Online, []string{"--command=stopssh", "--config=/a", "--helper=/b", "--fence=maybe"})
	want := `--command=stopssh is no phase of master_ip_online_change
--orig_master_host is missing
--config and --helper exclude each other
--fence=maybe is neither best_effort nor required`
	if err == nil || err.Error() != want {
		t.Errorf("got %v", err)
	}
}

// run plays a plan with steps that fail as told: "kind node" to the text of the failure; a text
// that begins with "?" is that of a host which did not answer.
func run(p Plan, fails map[string]string) []Result {
	var all []Result
	for _, stage := range p.Stages {
		var now []Result
		for _, st := range stage {
			one := Result{Step: st, Skipped: Skips(&st, all)}
			text, bad := fails[string(st.Kind)+" "+st.Node]
			if !one.Skipped {
				one.StepResult = mpp.StepResult{Done: !bad, Text: strings.TrimPrefix(text, "?"), Unreachable: strings.HasPrefix(text, "?")}
			}
			now = append(now, one)
		}
		all = append(all, now...)
		if Stops(now) {
			break
		}
	}
	return all
}

func TestExitCodesOfEachPhase(t *testing.T) {
	const old, young = "10.0.0.1:3306", "10.0.0.2:3307"
	required := full()
	required.FenceRequired, required.Shutdown = true, false
	bare, gone := full(), full()
	bare.Shutdown, gone.Gone = false, true
	var text strings.Builder
	for _, c := range []struct {
		call  int
		setup *Setup
		fails map[string]string
	}{
		{0, full(), nil},
		{0, full(), map[string]string{"look " + old: "the host does not have it"}},
		{0, full(), map[string]string{"check " + old: "access denied", "place " + old: "no arping"}},
		{1, full(), nil},
		{1, full(), map[string]string{"read-only " + old: "?refused"}},
		{1, full(), map[string]string{"remove-address " + old: "sudo refused"}},
		{1, bare, map[string]string{"remove-address " + old: "sudo refused"}},
		{1, bare, map[string]string{"remove-address " + old: "?no answer"}},
		{2, full(), map[string]string{"read-only " + old: "?no answer", "remove-address " + old: "?no answer"}},
		{2, bare, map[string]string{"read-only " + old: "?no answer", "remove-address " + old: "?no answer"}},
		{2, required, map[string]string{"read-only " + old: "?no answer", "remove-address " + old: "?no answer"}},
		{2, required, map[string]string{"read-only " + old: "?no answer"}},
		{3, full(), nil},
		{3, full(), map[string]string{"writable " + young: "access denied"}},
		{3, gone, map[string]string{"probe " + young: "nobody asks"}},
		{3, full(), map[string]string{"probe " + young: "02:00:00:00:00:01 answers for it"}},
		{3, full(), map[string]string{"remove-address " + old: "?no answer", "probe " + young: "02:00:00:00:00:01 answers for it"}},
		{3, required, map[string]string{"remove-address " + old: "?no answer", "probe " + young: "02:00:00:00:00:01 answers for it"}},
		{3, full(), map[string]string{"add-address " + young: "interface is down"}},
		{5, full(), nil},
		{5, full(), map[string]string{"place " + young: "interface is down"}},
		{5, full(), map[string]string{"end-sessions " + old: "time is up"}},
		{6, full(), map[string]string{"add-address " + young: "interface is down"}},
		{7, full(), nil},
		{8, full(), nil},
		{8, full(), map[string]string{"shutdown " + old: "no power switch"}},
		{8, bare, nil},
		{9, bare, nil},
	} {
		call := calls()[c.call]
		r, err := Parse(call.program, splitted(call.args))
		if err != nil {
			t.Fatal(err)
		}
		plan := Decide(&r, c.setup)
		v := Judge(&r, c.setup, run(plan, c.fails))
		what := call.name
		if c.setup == required {
			what += ", fence required"
		}
		for k, why := range c.fails {
			what += "\n  " + k + ": " + why
		}
		if len(c.fails) > 1 { // maps have no order
			lines := strings.Split(what, "\n")
			if lines[1] > lines[len(lines)-1] {
				lines[1], lines[len(lines)-1] = lines[len(lines)-1], lines[1]
			}
			what = strings.Join(lines, "\n")
		}
		text.WriteString(what + "\n  -> " + string(rune('0'+v.Exit/10)) + string(rune('0'+v.Exit%10)) + " " + v.Text + "\n")
	}
	golden(t, "verdicts", text.String())
}

func TestWhatWasBegunIsTakenBackAndNothingElse(t *testing.T) {
	call := calls()[5]
	r, err := Parse(call.program, splitted(call.args))
	if err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	for _, begun := range []Begun{
		{},
		{mpp.StepReadOnly},
		{mpp.StepEventsOff, mpp.StepReadOnly, mpp.StepRemoveAddress},
		{mpp.StepReadOnly, mpp.StepRemoveAddress, mpp.StepAddAddress},
	} {
		plan := Undo(&r, full(), begun)
		for _, kind := range begun {
			text.WriteString(string(kind) + " ")
		}
		text.WriteString("\n" + plan.String())
	}
	golden(t, "undo", text.String())
}

func TestNobodyWritesOnTwoMastersAfterMHAHasEnded(t *testing.T) {
	got := map[string]Next{}
	for _, p := range []Progress{Stopping, Stopped, Starting, Started, Undone} {
		got[string(p)+" closed"] = Follow(Seen{Progress: p, NewKnown: true})
		got[string(p)+" open"] = Follow(Seen{Progress: p, NewKnown: true, NewOpen: true})
		got[string(p)+" unknown"] = Follow(Seen{Progress: p})
		got[string(p)+" at work"] = Follow(Seen{Progress: p, HookAlive: true, NewKnown: true})
	}
	want := map[string]Next{
		"stopping closed": TakeBack, "stopping open": GoOn, "stopping unknown": TakeBack, "stopping at work": Wait,
		"stopped closed": TakeBack, "stopped open": GoOn, "stopped unknown": TakeBack, "stopped at work": Wait,
		"starting closed": TakeBack, "starting open": GoOn, "starting unknown": Leave, "starting at work": Wait,
		"started closed": Leave, "started open": Leave, "started unknown": Leave, "started at work": Leave,
		"undone closed": Leave, "undone open": Leave, "undone unknown": Leave, "undone at work": Leave,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAServerIsUnwrittenOnlyWhenThatIsKnown(t *testing.T) {
	a := &mpp.Position{Executed: "0-1-5", OwnLog: "bin.1", OwnPos: 400}
	moved, renamed, blind := *a, *a, mpp.Position{}
	moved.OwnPos, renamed.OwnLog = 401, "bin.2"
	got := []bool{Unwritten(a, a), Unwritten(a, &moved), Unwritten(a, &renamed), Unwritten(&blind, &blind), Unwritten(nil, a)}
	if diff := cmp.Diff([]bool{true, false, false, false, false}, got); diff != "" {
		t.Error(diff)
	}
}

func TestEachNameStandsForItsProgram(t *testing.T) {
	for _, name := range Names() {
		if _, known := ProgramOf(name); !known {
			t.Errorf("%s is listed, and stands for nothing", name)
		}
	}
	if p, known := ProgramOf("master_ip_hard_failover_helper"); p != Failover || !known {
		t.Errorf("MHA Helper's program is %q", p)
	}
	if _, known := ProgramOf("mpp"); known {
		t.Error("mpp is no program of MHA")
	}
}
