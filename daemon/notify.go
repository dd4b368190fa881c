package daemon

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	sd "github.com/coreos/go-systemd/v22/daemon"
	"golang.org/x/sys/unix"

	"mpp"
)

// notify speaks to systemd: READY, STATUS, RELOADING, STOPPING, and the watchdog, which is
// fed from the inbox loop so that a stuck loop is noticed. Outside systemd it does nothing.
type notify struct {
	// every is how often the watchdog is fed: half of what systemd allows; 0 for no watchdog.
	every  time.Duration
	fed    time.Time
	status string
	ready  bool
}

func newNotify() *notify {
	n := &notify{}
	if limit, err := sd.SdWatchdogEnabled(false); err == nil {
		n.every = limit / 2
	}
	return n
}

// send ignores errors: systemd that does not listen is no reason to stop watching databases.
func send(state string) { _, _ = sd.SdNotify(false, state) }

// alive feeds the watchdog. It is called from the loop only.
func (n *notify) alive(now time.Time) {
	if n.every > 0 && now.Sub(n.fed) >= n.every {
		n.fed = now
		send(sd.SdNotifyWatchdog)
	}
}

// shows tells systemd the state of affairs when it has changed, and that the daemon is ready
// the first time that every node was polled. It is called from the publisher only.
func (n *notify) shows(v *mpp.View) {
	if text := statusLine(v); text != n.status {
		n.status = text
		send("STATUS=" + text)
	}
	if v.Ready && !n.ready {
		n.ready = true
		send(sd.SdNotifyReady)
	}
}

func (n *notify) stopping() { send(sd.SdNotifyStopping) }

// reloading brackets a reload, as Type=notify-reload wants it.
func reloading() {
	send(sd.SdNotifyReloading + "\nMONOTONIC_USEC=" + monotonicMicroseconds())
}

func reloaded() { send(sd.SdNotifyReady) }

// monotonicMicroseconds is CLOCK_MONOTONIC, by which systemd orders the messages.
func monotonicMicroseconds() string {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return "0"
	}
	return strconv.FormatInt(now.Nano()/1000, 10)
}

// statusLine says in one line who is ACTIVE where.
func statusLine(v *mpp.View) string {
	var parts []string
	for i := range v.Pools {
		p := &v.Pools[i]
		if i == 5 {
			parts = append(parts, fmt.Sprintf("and %d more", len(v.Pools)-i))
			break
		}
		text := p.Name + " "
		switch {
		case p.Status == mpp.Fail:
			text += "CUT OFF"
		case p.Logic == mpp.LogicCluster:
			text += fmt.Sprintf("%d members", len(p.Nodes))
		case p.Active == "":
			text += "NO WRITER"
		default:
			text += "writer=" + p.Active
		}
		parts = append(parts, text)
	}
	return strings.Join(parts, "; ")
}
