package action

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"mpp"
	"mpp/action/native"
	"mpp/action/remote"
)

// tryLimit bounds what the doctor tries on one node.
const tryLimit = 10 * time.Second

// Doctor tries, without changing anything, every login, grant, host, address and program that an
// operation of the pool will need. It returns false when the pool has no engine that promotes.
func (r *Runner) Doctor(ctx context.Context, pool string) (mpp.Diagnosis, bool) {
	r.mu.Lock()
	c := r.pools[pool]
	r.mu.Unlock()
	if c == nil {
		return mpp.Diagnosis{}, false
	}
	d := mpp.Diagnosis{Pool: pool, At: time.Now(), Findings: c.examinePrograms()}
	ctx, cancel := context.WithTimeout(ctx, tryLimit)
	defer cancel()
	found := make([][]mpp.Finding, len(c.pool.Nodes))
	var all sync.WaitGroup
	for i, n := range c.pool.Nodes {
		all.Go(func() { found[i] = c.examine(ctx, n) })
	}
	all.Wait()
	for _, list := range found {
		d.Findings = append(d.Findings, list...)
	}
	d.Took = time.Since(d.At)
	return d, true
}

// examinePrograms looks at the hooks and the program that turns nodes off.
func (c *crew) examinePrograms() []mpp.Finding {
	list := []mpp.Finding{}
	for _, h := range c.pool.Hooks {
		f := mpp.Finding{What: "hook " + h.Name, Text: h.Program + " can be run"}
		if err := h.Check(); err != nil {
			f.Status, f.Text, f.Hint = mpp.Fail, err.Error(), "make it an executable file, or take the hook out"
		}
		list = append(list, f)
	}
	if s := c.pool.Shutdown; s.Program != "" {
		f := mpp.Finding{What: "shutdown program", Text: s.Program + " can be run"}
		if err := s.Check(); err != nil {
			f.Status, f.Text, f.Hint = mpp.Fail, err.Error(), "make it an executable file"
		}
		list = append(list, f)
	}
	return list
}

// examine tries everything of one node: its server and its host at the same time.
func (c *crew) examine(ctx context.Context, n Node) []mpp.Finding {
	host := make(chan []mpp.Finding, 1)
	go func() { host <- c.examineHost(ctx, n) }()
	r := c.native.Run(ctx, mpp.Step{Kind: mpp.StepCheck, Node: n.Address, Limit: tryLimit})
	f := mpp.Finding{Node: n.Address, What: "failover account", Text: r.Text}
	list := []mpp.Finding{f}
	if !r.Done {
		list[0].Status = mpp.Fail
	} else {
		list = append(list, c.examineReplication(ctx, n))
		list = append(list, c.examineClone(ctx, n)...)
	}
	return append(list, <-host...)
}

// examineReplication tries the account that replicas log in as. It may be allowed from the nodes' hosts
// only, so that to be refused from here is no proof.
func (c *crew) examineReplication(ctx context.Context, n Node) mpp.Finding {
	r := c.native.Run(ctx, mpp.Step{Kind: mpp.StepCheck, Node: n.Address, Detail: native.CheckReplication, Limit: tryLimit})
	f := mpp.Finding{Node: n.Address, What: "replication account", Text: r.Text}
	if !r.Done {
		f.Status = mpp.Warn
		f.Hint = "nothing, if the account is for the nodes' own addresses only; else its password or grant is wrong, and no replica would connect after a failover"
	}
	return f
}

// examineClone looks whether the node could be made a copy of the next one. Who does not use that needs
// to mend nothing.
func (c *crew) examineClone(ctx context.Context, n Node) []mpp.Finding {
	if len(c.pool.Nodes) < 2 {
		return nil
	}
	peer := c.pool.Nodes[0].Address
	if peer == n.Address {
		peer = c.pool.Nodes[1].Address
	}
	r := c.native.Run(ctx, mpp.Step{Kind: mpp.StepCheck, Node: n.Address, Peer: peer, Detail: native.CheckClone, Limit: tryLimit})
	f := mpp.Finding{Node: n.Address, What: "clone", Text: r.Text}
	if !r.Done {
		f.Status, f.Text = mpp.Info, "mpp rejoin --clone would not work: "+r.Text
	}
	return []mpp.Finding{f}
}

// examineHost tries ssh, the address, and what reading a dead server's binary log takes.
func (c *crew) examineHost(ctx context.Context, n Node) []mpp.Finding {
	h := c.hosts[n.Address]
	var list []mpp.Finding
	fine := false
	switch {
	case h != nil:
		wrong := h.Check(ctx)
		fine = len(wrong) == 0
		list = append(list, listed(n.Address, "ssh", h.String()+" takes commands as root", mpp.Fail, wrong))
	case c.pool.VIP.Kind == "metal":
		list = append(list, mpp.Finding{
			Node: n.Address, What: "ssh", Status: mpp.Fail, Text: "no commands can be run on its host, so the virtual address cannot be moved",
			Hint: "set key_file and known_hosts in [pool.ssh]",
		})
	default:
		list = append(list, mpp.Finding{
			Node: n.Address, What: "ssh", Status: mpp.Warn, Text: "no commands can be run on its host: nothing is read there when its server is dead",
			Hint: "set key_file and known_hosts in [pool.ssh]",
		})
	}
	if c.movesAddress() {
		facts, problems := c.vip.Check(ctx, n.Address)
		list = append(list, listed(n.Address, "virtual address", strings.Join(facts, "; "), mpp.Fail, problems))
	}
	if fine {
		list = append(list, c.examineLog(ctx, n, h))
	}
	return list
}

// examineLog tries whether the end of the binary log could be read on the host.
func (c *crew) examineLog(ctx context.Context, n Node, h remote.Host) mpp.Finding {
	f := mpp.Finding{Node: n.Address, What: "binary log on its host"}
	base := c.native.LogBase(n.Address)
	if base == "" {
		f.Status, f.Text = mpp.Warn, "where it is is not known: the server was not logged in to"
		return f
	}
	log, size, err := native.BinlogEnd(ctx, h, base)
	if err != nil {
		f.Status, f.Text = mpp.Warn, err.Error()
		return f
	}
	f.Text = fmt.Sprintf("it can be read, and ends at %s:%d", log, size)
	return f
}

// listed makes one finding of what is wrong, or of nothing.
func listed(node, what, fine string, bad mpp.Status, wrong []string) mpp.Finding {
	if len(wrong) == 0 {
		return mpp.Finding{Node: node, What: what, Text: fine}
	}
	return mpp.Finding{Node: node, What: what, Status: bad, Text: strings.Join(wrong, "; ")}
}
