package compat

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"mpp/action/remote"
)

// atOnce is on how many hosts a job is done at the same time.
const atOnce = 16

// LocalName is this host's name on a command line: it is reached without ssh.
const LocalName = "localhost"

// Target says how a host is reached.
type Target struct {
	// Local is this host: of the fields below only Sudo matters then.
	Local bool
	// Host is a name or an address; Port is 22 when 0, User root when empty.
	Host string
	Port int
	User string
	// KeyFile is a private key without a passphrase; KnownHosts a file of ssh's known_hosts.
	KeyFile, KnownHosts string
	// Sudo runs everything through sudo -n.
	Sudo bool
}

// ParseTarget reads [user@]host[:port]; an IPv6 address with a port stands in brackets. LocalName
// alone is this host.
func ParseTarget(text string) (Target, error) {
	if text == LocalName {
		return Target{Local: true}, nil
	}
	t := Target{Host: text}
	if user, rest, found := strings.Cut(text, "@"); found {
		t.User, t.Host = user, rest
		if user == "" {
			return Target{}, fmt.Errorf("%q has no user before the @", text)
		}
	}
	if host, port, err := net.SplitHostPort(t.Host); err == nil {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return Target{}, fmt.Errorf("%q has no port after the colon", text)
		}
		t.Host, t.Port = host, int(n)
	} else if inner, bracketed := strings.CutPrefix(t.Host, "["); bracketed {
		t.Host = strings.TrimSuffix(inner, "]")
	}
	switch {
	case t.Host == "" || strings.HasPrefix(t.Host, "-") || strings.ContainsAny(t.Host, " /@[]"):
		return Target{}, fmt.Errorf("%q names no host", text)
	case strings.Contains(t.Host, ":") && net.ParseIP(strings.Split(t.Host, "%")[0]) == nil:
		return Target{}, fmt.Errorf("%q is neither host:port nor an IPv6 address", text)
	}
	return t, nil
}

// String names the host, for people.
func (t Target) String() string {
	name := t.Host
	switch {
	case t.Local:
		return LocalName
	case t.Port != 0 && t.Port != 22:
		name = net.JoinHostPort(t.Host, strconv.Itoa(t.Port))
	}
	if t.User != "" && t.User != "root" {
		name = t.User + "@" + name
	}
	return name
}

// Same reports whether two targets are the same host, by the same way.
func (t Target) Same(other Target) bool { return t.String() == other.String() }

// open prepares to reach the host.
func (t Target) open(limit time.Duration) (remote.Host, error) {
	if t.Local {
		return remote.NewLocal(t.Sudo, limit), nil
	}
	return remote.New(remote.Options{
		Host: t.Host, Port: t.Port, User: t.User, KeyFile: t.KeyFile, KnownHosts: t.KnownHosts, Sudo: t.Sudo, Timeout: limit,
	})
}

// OnAll does the job on all targets at the same time, each within limit, and returns their reports
// in the same order. It is an error only when ctx ends before.
func (j Job) OnAll(ctx context.Context, targets []Target, limit time.Duration) ([]Report, error) {
	reports := make([]Report, len(targets))
	free := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i, t := range targets {
		free <- struct{}{}
		all.Go(func() {
			defer func() { <-free }()
			reports[i] = j.at(ctx, t, limit)
		})
	}
	all.Wait()
	return reports, ctx.Err()
}

// at does the job on one target.
func (j Job) at(ctx context.Context, t Target, limit time.Duration) Report {
	h, err := t.open(limit)
	if err != nil {
		report := Report{Host: t.String(), ErrorKind: Unreached, Error: err.Error()}
		report.complete()
		return report
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	report := j.On(ctx, h)
	report.Host = t.String()
	_ = h.Close() // an error of the farewell changes nothing of what was done
	return report
}
