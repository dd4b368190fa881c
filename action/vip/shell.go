package vip

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"mpp/action/remote"
)

// shell is the network of a host that commands reach. Each question takes one round trip.
type shell struct {
	host remote.Host
}

// noAnnouncer is what a host without a program to announce with says.
const noAnnouncer = "no perl, python3 or arping (for IPv6: ndsend) there"

// perlSend and pythonSend pass on what they read, and send frames from an interface when they
// read "mpp go": so they start while ip is still at work. perl comes first: it is on every Debian
// and starts in a few milliseconds. A child is left to close the socket, which takes the kernel
// some 10 ms. The numbers are Linux's AF_PACKET, SOCK_RAW and SIOCGIFINDEX.
const (
	perlSend = `$|=1;socket(S,17,3,0)or$e="socket: $!";$r=pack("a40",shift);$e or ioctl(S,0x8933,$r)or$e="interface: $!";$x=unpack("x16i",$r);` +
		`while(<STDIN>){if($_ ne"mpp go\n"){print;next}for(@ARGV){$f=pack("H*",$_);$e or defined send(S,$f,0,pack("Sa2iSCCa8",17,substr($f,12,2),$x,1,0,6,$f))or$e="send: $!"}}` +
		`if($e){print STDERR"mpp send: $e\n";exit 1}defined($p=fork)and!$p and do{close STDIN;close STDOUT;close STDERR;select undef,undef,undef,.1}`
	pythonSend = `import os,socket,sys,time
e=None
try: s=socket.socket(17,3,0);s.bind((sys.argv[1],0))
except OSError as x: e=x
for l in sys.stdin:
  if l!="mpp go\n": sys.stdout.write(l);continue
  try:
    for h in sys.argv[2:]: e or s.send(bytes.fromhex(h))
  except OSError as x: e=x
if e: sys.exit("mpp send: "+str(e))
sys.stdout.flush()
if os.fork()==0: os.closerange(0,3);time.sleep(.1)
os._exit(0)`
)

// perl and python ask and wait for the first frame that has what it must have and is not the
// host's own, and print it. Arguments: interface, Ethernet type, wait in ms, frame, the host's
// hardware addresses with commas between them, then offset and bytes by turns.
const (
	perlAsk = `$p=pack("n",$ARGV[1]);socket(S,17,3,unpack("S",$p))or die"socket: $!\n";$r=pack("a40",shift);ioctl(S,0x8933,$r)or die"interface: $!\n";$x=unpack("x16i",$r);` +
		`sub ll{pack("Sa2iSCCa8",17,$p,$x,1,0,6,$_[0])}bind(S,ll(""))or die"bind: $!\n";shift;$w=shift()/1000;$f=pack("H*",shift);defined send(S,$f,0,ll($f))or die"send: $!\n";` +
		`%o=map{$_,1}split",",shift;while($w>0){$v="";vec($v,fileno(S),1)=1;($n,$w)=select($v,undef,undef,$w);last unless $n>0;recv(S,$b,2048,0);next if$o{unpack("H12",substr$b,6)};$k=1;` +
		`for($i=0;$i<@ARGV;$i+=2){$k=0 if substr($b,$ARGV[$i],length($ARGV[$i+1])/2)ne pack("H*",$ARGV[$i+1])}if($k){print unpack("H*",$b);last}}`
	pythonAsk = `import socket,sys,time
i,t,w,f,o=sys.argv[1:6];m=sys.argv[6:];s=socket.socket(17,3,socket.htons(int(t)));s.bind((i,int(t)));s.send(bytes.fromhex(f));e=time.time()+int(w)/1000
while time.time()<e:
  s.settimeout(max(e-time.time(),.001))
  try: b=s.recv(2048)
  except socket.timeout: break
  if b[6:12].hex() not in o.split(",") and all(b[int(n):int(n)+len(x)//2]==bytes.fromhex(x) for n,x in zip(m[::2],m[1::2])):
    print(b.hex());break`
)

// toolsScript says what can announce.
const toolsScript = `
for p in perl python3 arping ndsend; do command -v $p >/dev/null 2>&1 && echo "mpp has $p"; done`

func (s shell) look(ctx context.Context) (state, error) {
	o, err := s.run(ctx, changeScript(nil, "", nil))
	return o.state, err
}

func (s shell) change(ctx context.Context, all []change, from string, frames [][]byte) (outcome, error) {
	return s.run(ctx, changeScript(all, from, frames))
}

// changeScript makes changes and looks, and then sends frames.
func changeScript(all []change, from string, frames [][]byte) string {
	changes := commands(all) + "\nmpp=$?; echo \"mpp changed $mpp\""
	if len(frames) == 0 {
		return changes + toolsScript
	}
	return fmt.Sprintf(`mpp_go() { %s; [ $mpp = 0 ] && echo mpp go; %s
}
%s; else %s; [ $mpp = 0 ] && { %s; echo "mpp sent $?"; }%s
fi`, changes, toolsScript, sendScript("mpp_go", from, frames), changes, fallbackScript(from, frames), toolsScript)
}

// commands are changes as commands, and the look after them. That is one batch, because ip takes
// as long to start as to do it all. A change that fails keeps no other from being made, nor the
// look.
func commands(all []change) string {
	batch := "ip -force -batch - <<'MPP'\n"
	single := "{ :"
	reset := ""
	for _, c := range all {
		if c.reset { // where there is no ss, or the kernel cannot, they wait
			reset += fmt.Sprintf("ss -t -K src %s >/dev/null 2>&1\n", c.prefix.Addr())
		}
		batch += strings.TrimPrefix(c.command(), "ip ") + "\n"
		single += " && " + c.command()
	}
	if slices.ContainsFunc(all, func(c change) bool { return c.keepOthers }) {
		return reset + single + "; }; mpp=$?; ip addr show; [ $mpp = 0 ]"
	}
	return reset + batch + "addr show\nMPP"
}

// command is a change as a command. The names of interfaces need no quotes: see New.
func (c change) command() string {
	verb, more := "replace", ""
	if c.remove {
		verb = "del"
	} else if c.prefix.Addr().Is6() {
		more = " nodad preferred_lft 0"
	}
	command := fmt.Sprintf("ip addr %s %s dev %s%s", verb, c.prefix, c.link, more)
	if !c.keepOthers {
		return command
	}
	file := "/proc/sys/net/ipv4/conf/" + c.link + "/promote_secondaries"
	return fmt.Sprintf("{ mpp_p=$(cat %[1]s) && echo 1 >%[1]s && %[2]s; mpp_s=$?; echo $mpp_p >%[1]s; [ $mpp_s = 0 ]; }", file, command)
}

// sendScript is the beginning of an if: it passes what a command writes to the program that sends
// the frames, if there is one.
func sendScript(command, from string, frames [][]byte) string {
	arguments := from
	for _, f := range frames {
		arguments += " " + hex.EncodeToString(f)
	}
	return fmt.Sprintf(`if command -v perl >/dev/null 2>&1; then %[1]s | perl -e %[2]s %[4]s; echo "mpp sent $?"
elif command -v python3 >/dev/null 2>&1; then %[1]s | python3 -c %[3]s %[4]s; echo "mpp sent $?"`,
		command, remote.Quote(perlSend), remote.Quote(pythonSend), arguments)
}

// fallbackScript announces with arping, of which there are two (iputils' and Thomas Habets'),
// and ndsend. arping waits for a second by itself, so it is left to do that in the background.
func fallbackScript(from string, frames [][]byte) string {
	done := map[netip.Addr]bool{}
	var script strings.Builder
	script.WriteString("mpp_f=0")
	for _, f := range frames {
		address := subject(f)
		if done[address] {
			continue
		}
		done[address] = true
		if address.Is6() {
			fmt.Fprintf(&script, "\nif command -v ndsend >/dev/null 2>&1; then ndsend %s %s >/dev/null || mpp_f=1; else mpp_f=1; echo 'mpp send: %s' >&2; fi", address, from, noAnnouncer)
			continue
		}
		fmt.Fprintf(&script, `
if ! command -v arping >/dev/null 2>&1; then mpp_f=1; echo 'mpp send: %[3]s' >&2
elif arping -V 2>&1 | grep -q iputils; then for m in U A; do arping -q -c 1 -$m -I %[2]s %[1]s >/dev/null 2>&1 </dev/null & done
else for m in U P; do arping -q -c 1 -$m -i %[2]s -S %[1]s %[1]s >/dev/null 2>&1 </dev/null & done; fi`, address, from, noAnnouncer)
	}
	script.WriteString("\n[ $mpp_f = 0 ]")
	return script.String()
}

// subject is the address that an announcement is about.
func subject(frame []byte) netip.Addr {
	if len(frame) >= 78 {
		return netip.AddrFrom16([16]byte(frame[62:78]))
	}
	return netip.AddrFrom4([4]byte(frame[28:32]))
}

// run runs a changeScript and reads what it says.
func (s shell) run(ctx context.Context, script string) (outcome, error) {
	out, err := s.host.Run(ctx, script)
	if err != nil {
		return outcome{}, err
	}
	status := map[string]string{}
	var shown strings.Builder
	var announcers []string
	for line := range strings.Lines(out.Stdout) {
		switch words := strings.Fields(line); {
		case len(words) != 3 || words[0] != "mpp":
			shown.WriteString(line)
		case words[1] == "has":
			announcers = append(announcers, words[2])
		default:
			status[words[1]] = words[2]
		}
	}
	changing, sending := complaints(out.Stderr)
	o := outcome{state: parseIP(shown.String())}
	o.state.announcers = announcers
	changed, sent := status["changed"], status["sent"]
	switch {
	case changed == "127":
		return o, fmt.Errorf("%s: the program ip is not there (Debian: package iproute2)", s.host)
	case len(o.state.links) == 0:
		return o, fmt.Errorf("%s: ip addr show: %s", s.host, sentence(changing, changed))
	case changed != "0":
		o.failed = fmt.Sprintf("%s: %s", s.host, sentence(changing, changed))
	case sent != "" && sent != "0":
		o.unsent = fmt.Sprintf("%s: %s", s.host, sentence(sending, sent))
	}
	return o, nil
}

// complaints returns the last line of standard error that is about changes, and the last one that
// is about sending.
func complaints(stderr string) (changing, sending string) {
	for line := range strings.Lines(stderr) {
		line = strings.TrimSpace(line)
		said, about := strings.CutPrefix(line, "mpp send: ")
		switch {
		case about:
			sending = said
		case line != "" && !strings.HasPrefix(line, "Command failed "): // of a batch, after the reason
			changing = line
		}
	}
	return changing, sending
}

// sentence is what a program said, or its exit status.
func sentence(said, exit string) string {
	switch {
	case strings.Contains(said, "Operation not permitted"):
		return said + " (root is needed: user = \"root\" or sudo = true in [pool.ssh])"
	case said == "":
		return "exit status " + exit
	}
	return said
}

func (s shell) ask(ctx context.Context, from link, address netip.Addr, own []net.HardwareAddr) ([]byte, error) {
	etherType, patterns := answers(address)
	var not []string
	for _, mac := range own {
		not = append(not, hex.EncodeToString(mac))
	}
	arguments := fmt.Sprintf("%s %d %d %x '%s'", from.name, etherType, askWait.Milliseconds(), question(from.mac, address), strings.Join(not, ","))
	for _, p := range patterns {
		arguments += fmt.Sprintf(" %d %x", p.offset, p.bytes)
	}
	out, err := s.host.Run(ctx, fmt.Sprintf(
		"if command -v perl >/dev/null 2>&1; then perl -e %s %s\nelif command -v python3 >/dev/null 2>&1; then python3 -c %s %s\nelse echo 'neither perl nor python3 there' >&2; exit 1\nfi",
		remote.Quote(perlAsk), arguments, remote.Quote(pythonAsk), arguments))
	if err != nil {
		return nil, err
	}
	if out.Exit != 0 {
		return nil, fmt.Errorf("%s: ask who has %s: %s", s.host, address, sentence(out.LastLine(), strconv.Itoa(out.Exit)))
	}
	answer, err := hex.DecodeString(strings.TrimSpace(out.Stdout))
	if err != nil {
		return nil, fmt.Errorf("%s: ask who has %s: read answer: %w", s.host, address, err)
	}
	if len(answer) == 0 {
		return nil, nil
	}
	if !matches(answer, patterns) {
		return nil, errors.New("a frame that does not match")
	}
	return answer, nil
}

// keepalived is where its configuration is.
const keepalived = "/etc/keepalived/keepalived.conf"

// rival is what is wrong with an address that keepalived has, too.
func rival(address netip.Addr) string {
	return fmt.Sprintf("%s has %s: only one of keepalived and MPP may move it", keepalived, address)
}

// try takes off an address that nobody has (TEST-NET-1, RFC 5737) and sends no frames.
func (s shell) try(ctx context.Context, from string, wanted []netip.Prefix) []string {
	script := fmt.Sprintf(`if mpp=$(echo "addr del 192.0.2.1/32 dev %s" | ip -force -batch - 2>&1); then :; else case $mpp in *assign* | *"Address not found"*) ;; *) echo "change addresses: ${mpp%%%%Command failed*}";; esac; fi
mpp=$({ %s
fi; } 2>&1); case $mpp in *"mpp send: "*) echo "announce: ${mpp%%%%mpp sent*}";; esac`, from, sendScript("echo mpp go", from, nil))
	for _, a := range wanted {
		script += fmt.Sprintf("\nif grep -qswF %[1]s %[2]s; then echo %[3]s; fi", a.Addr(), keepalived, remote.Quote(rival(a.Addr())))
	}
	out, err := s.host.Run(ctx, script)
	if err != nil {
		return []string{err.Error()}
	}
	var wrong []string
	for line := range strings.Lines(out.Stdout) {
		wrong = append(wrong, fmt.Sprintf("%s: %s", s.host, sentence(strings.TrimSpace(line), "")))
	}
	return wrong
}
