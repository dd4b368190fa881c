package checks

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"time"

	"mpp"
)

// sourceState is what the replication check remembers between polls.
type sourceState struct {
	// unreachable is since when no channel reaches its source, zero for never.
	unreachable time.Time
	// resolved keeps which source hosts were found to be a node of the pool, or not.
	resolved map[string]resolution
}

// resolution is whether a source turned out to be a node of the pool.
type resolution struct {
	known bool // false: the names could not be looked up
	ours  bool
	at    time.Time
}

const (
	// resolveAgain is how long a looked-up source is believed.
	resolveAgain = time.Minute
	// resolveLimit bounds the look-up of names.
	resolveLimit = 100 * time.Millisecond
	// maxResolved bounds the memory of looked-up sources.
	maxResolved = 32
)

// judgeReplication judges every channel and returns the worst finding, with what is to be said
// of the others behind it.
func (p *Prober) judgeReplication(ask mpp.Ask, o *mpp.Observation, r result, end time.Time) finding {
	if r.err != nil {
		f := ofError(r.err)
		f.message = "cannot read the replica's state: " + f.message
		return f
	}
	if len(o.Channels) == 0 {
		p.source.unreachable = time.Time{}
		if ask.Active || !p.o.ReplicaExpected {
			return finding{}
		}
		return finding{mpp.Warn, mpp.KindReplicationStopped, 0, "is not a replica of anything"}
	}
	var worst finding
	var rest []string
	unreachable := false
	for i := range o.Channels {
		f := p.judgeChannel(&o.Channels[i], o.At, end)
		unreachable = unreachable || f.kind == mpp.KindSourceUnreachable
		switch {
		case f.status > worst.status:
			if worst.message != "" {
				rest = append(rest, worst.message)
			}
			worst = f
		case f.message != "":
			rest = append(rest, f.message)
		}
	}
	if !unreachable {
		p.source.unreachable = time.Time{}
	}
	if len(rest) > 0 {
		worst.message = oneLine(worst.message + "; " + strings.Join(rest, "; "))
	}
	return worst
}

// judgeChannel judges one channel.
func (p *Prober) judgeChannel(c *mpp.Channel, now, end time.Time) finding {
	if f := judgeThreads(c); f.status == mpp.Fail {
		return f
	} else if f.kind == mpp.KindSourceUnreachable {
		if p.source.unreachable.IsZero() {
			p.source.unreachable = now
		}
		since := now.Sub(p.source.unreachable)
		if limit := p.o.SourceUnreachableCritical; limit > 0 && since >= limit {
			f.status = mpp.Critical
		}
		if since >= time.Second {
			f.message += ", for " + shortDuration(since)
		}
		return f
	}
	if len(p.o.PoolNodes) == 0 || p.knowsSource(c, now, end) {
		return finding{}
	}
	return finding{
		mpp.Warn, mpp.KindWrongSource, 0,
		fmt.Sprintf("%sreplicates from %s:%d (server_id %d), which is not a node of the pool",
			channelName(c), c.SourceHost, c.SourcePort, c.SourceID),
	}
}

// judgeThreads judges the two threads of a channel. A stopped thread is a failure; so is an IO
// thread that its source turns away. One that cannot reach its source is not: when a source
// dies, its replicas must stay candidates.
func judgeThreads(c *mpp.Channel) finding {
	fail := func(what string, errno uint32, text string) finding {
		message := channelName(c) + what
		if errno != 0 || text != "" {
			message += ": error " + itoa(int64(errno)) + ": " + text
		}
		return finding{mpp.Fail, mpp.KindReplicationStopped, errno16(errno), oneLine(message)}
	}
	if c.SQL != "Yes" {
		return fail("the SQL thread is not running", c.SQLErrno, c.SQLError)
	}
	switch {
	case c.IO == "Yes":
		return finding{}
	case c.IO == "No" && (c.IOErrno == 0 || !isNetworkErrno(c.IOErrno)):
		return fail("the IO thread is not running", c.IOErrno, c.IOError)
	case c.IO != "No" && !isNetworkErrno(c.IOErrno):
		return fail("the IO thread cannot replicate from "+sourceName(c), c.IOErrno, c.IOError)
	}
	message := channelName(c) + "cannot reach its source " + sourceName(c)
	if c.IO == "No" {
		message = channelName(c) + "the IO thread has given up reaching its source " + sourceName(c)
	}
	if c.IOErrno != 0 {
		message += " (error " + itoa(int64(c.IOErrno)) + ")"
	}
	return finding{mpp.Warn, mpp.KindSourceUnreachable, errno16(c.IOErrno), message}
}

// isNetworkErrno reports whether an IO thread's error says that the source is away or busy, as
// against one by which it refuses this replica. 0 is a thread that is only just connecting.
func isNetworkErrno(errno uint32) bool {
	switch errno {
	case 0, 2002, 2003, 2005, 2006, 2013, 1040, 1053, 1129:
		return true
	default:
		return false
	}
}

// errno16 fits an error number into an mpp.CheckResult; MySQL's replication has some above
// 13000, and none above 65535.
func errno16(n uint32) uint16 {
	if n > 1<<16-1 {
		return 0
	}
	return uint16(n)
}

func channelName(c *mpp.Channel) string {
	if c.Name == "" {
		return ""
	}
	return "channel " + c.Name + ": "
}

func sourceName(c *mpp.Channel) string {
	return net.JoinHostPort(c.SourceHost, strconv.Itoa(int(c.SourcePort)))
}

// knowsSource reports whether a channel's source is a node of the pool, by its address as
// configured, by its identity, or by what its name resolves to. In doubt it is.
func (p *Prober) knowsSource(c *mpp.Channel, now, end time.Time) bool {
	address := sourceName(c)
	if slices.Contains(p.o.PoolNodes, address) {
		return true
	}
	if p.o.PoolServer != nil && c.SourceID != 0 && p.o.PoolServer(c.SourceID, c.SourceUUID) {
		return true
	}
	if r, ok := p.source.resolved[address]; ok && now.Sub(r.at) < resolveAgain {
		return r.ours || !r.known
	}
	r := p.resolve(c, end)
	r.at = now
	if p.source.resolved == nil || len(p.source.resolved) >= maxResolved {
		p.source.resolved = make(map[string]resolution)
	}
	p.source.resolved[address] = r
	return r.ours || !r.known
}

// SetPoolNodes says which nodes the pool has from now on, in place of Options.PoolNodes: a
// reload that adds a node elsewhere leaves this one's connection alone. It does not wait for a
// poll that is under way, and does not keep the slice.
func (p *Prober) SetPoolNodes(nodes []string) {
	nodes = slices.Clone(nodes)
	p.poolNodes.Store(&nodes)
}

// takePoolNodes puts in force what SetPoolNodes brought.
func (p *Prober) takePoolNodes() {
	if nodes := p.poolNodes.Swap(nil); nodes != nil {
		p.o.PoolNodes, p.source.resolved = *nodes, nil
	}
}

// resolve looks up the source and the nodes that have its port.
func (p *Prober) resolve(c *mpp.Channel, end time.Time) resolution {
	limit := time.Now().Add(resolveLimit)
	if end.Before(limit) {
		limit = end
	}
	ctx, cancel := context.WithDeadline(p.stop, limit)
	defer cancel()
	var resolver net.Resolver
	source, err := resolver.LookupHost(ctx, c.SourceHost)
	if err != nil {
		return resolution{}
	}
	r := resolution{known: true}
	for _, node := range p.o.PoolNodes {
		host, port, err := net.SplitHostPort(node)
		if err != nil || port != strconv.Itoa(int(c.SourcePort)) {
			continue
		}
		addresses, err := resolver.LookupHost(ctx, host)
		if err != nil {
			r.known = false
			continue
		}
		for _, a := range addresses {
			r.ours = r.ours || slices.Contains(source, a)
		}
	}
	return r
}
