// Command mpp-check tells a load balancer or a monitor whether a node may be used, in the
// convention that the caller knows: by exit code, by what it prints, or both.
//
// It reads the state files that mppd writes (or asks mppd over HTTP, with --http) and never
// a database: it answers in about a millisecond, also when mppd is busy, and says no when
// the data is stale. The caller's convention is its personality, chosen by the name that it
// is started by or with --as.
//
// For load balancers exit 0 means yes and 1 means no; there is no other code, whatever
// happens, because some balancers take others, or a death by signal, for yes. A deadline of
// its own ends the program when anything hangs.
//
// It imports no fmt, no net, no TLS, no database driver and no CLI library: a balancer starts
// it every second for every node. It reads no environment but MPP_RUN_DIR.
package main

import (
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args)) }

// run answers by the arguments; args[0] is the program's name.
func run(args []string) int {
	o, err := parse(args)
	v := newVoice(o)
	if err != nil {
		return v.misused(err)
	}
	if o.help {
		return help(o)
	}
	if o.version {
		return version(o)
	}
	return v.guard(func() int {
		if o.as == bigIP {
			v.pid.take(o)
		}
		limit := time.AfterFunc(o.timeout, v.giveUp)
		defer limit.Stop()
		if o.as == nagios {
			return v.report(judge(o))
		}
		return v.say(ask(o))
	})
}

// guard turns a mistake of this program into no: a panic would exit with 2, which
// keepalived's misc_dynamic takes for "up with weight 0".
func (v voice) guard(answer func() int) (code int) {
	defer func() {
		if r := recover(); r != nil {
			code = v.no("mpp-check has failed: please report this")
		}
	}()
	return answer()
}

// giveUp ends the program when its time is over, also when nobody reads what it prints.
func (v voice) giveUp() {
	said := make(chan struct{})
	go func() {
		_ = v.no("no answer within " + v.o.timeout.String())
		close(said)
	}()
	select {
	case <-said:
	case <-time.After(100 * time.Millisecond):
	}
	os.Exit(silent(v.o))
}

// voice speaks to the caller, once: either the answer or the deadline has the word. Whoever
// comes second prints nothing, and its exit code is no.
type voice struct {
	o    options
	said *atomic.Bool
	pid  *pidFile
}

func newVoice(o options) voice { return voice{o: o, said: new(atomic.Bool), pid: &pidFile{}} }

// say gives a balancer its answer.
func (v voice) say(a reply) int {
	if !v.said.CompareAndSwap(false, true) {
		return silent(v.o)
	}
	v.pid.remove() // before the first byte: BIG-IP may end the program with it
	write(1, text(v.o.as, a))
	if a.up {
		return 0
	}
	return 1
}

// no is the answer when there is none.
func (v voice) no(reason string) int {
	if v.o.as == nagios {
		return v.report(verdict{code: unknown, text: reason})
	}
	return v.say(reply{reason: reason})
}

// misused says on stderr what is wrong with the arguments, and no on stdout.
func (v voice) misused(err error) int {
	write(2, "mpp-check: "+err.Error()+"; mpp-check --help says how\n")
	return v.no("started wrongly: " + err.Error())
}

// text is what a caller wants to read.
func text(as personality, a reply) string {
	switch {
	case as == bigIP && a.up:
		return "UP\n"
	case as == bigIP:
		return "" // any byte would mean up
	case as == nanny:
		return choose(a.up, "OK\n", "FAIL\n")
	case as == piranha:
		return choose(a.up, "up\n", "down\n")
	default:
		return choose(a.up, "UP ", "DOWN ") + a.reason + "\n"
	}
}

func choose(yes bool, then, otherwise string) string {
	if yes {
		return then
	}
	return otherwise
}

// write writes to a file descriptor. It does not use os.Stdout, which ends the program by
// SIGPIPE when nobody reads; the caller would then see a death by signal, which ldirectord
// takes for yes.
func write(fd int, text string) {
	for data := []byte(text); len(data) > 0; {
		n, err := syscall.Write(fd, data)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n <= 0 {
			return
		}
		data = data[n:]
	}
}
