package lab

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// askLimit bounds how long a server may take to say how it is.
const askLimit = time.Second

// Status is how a lab is, by looking.
type Status struct {
	ID    string       `json:"id"`
	Dir   string       `json:"dir"`
	Mppd  int          `json:"mppd_pid"` // 0: it does not run
	Pools []PoolStatus `json:"pools"`
	Hosts []HostStatus `json:"hosts"`
}

// PoolStatus is where a pool's virtual address is.
type PoolStatus struct {
	Name string `json:"name"`
	VIP  string `json:"vip"`
	VIP6 string `json:"vip6,omitempty"`
	// Holders are the hosts that have the address: one, if all is well.
	Holders []string `json:"holders"`
}

// The states of a server and of a link.
const (
	ServerRunning = "running"
	ServerFrozen  = "frozen"
	ServerDown    = "down"
	LinkUp        = "up"
	LinkCut       = "cut"
	LinkSlow      = "slow"
)

// HostStatus is how a host is.
type HostStatus struct {
	Name    string `json:"name"`
	Kind    Kind   `json:"kind"`
	Pool    string `json:"pool,omitempty"`
	Address string `json:"address"`
	// Namespace is for ip netns exec.
	Namespace string `json:"namespace"`
	// Server is ServerRunning, ServerFrozen or ServerDown; empty for hosts without one.
	// The manager's is mppd.
	Server string `json:"server,omitempty"`
	// Answered says that the server told the rest: ReadOnly, Source (the host that it
	// replicates from) and Trouble of its replication.
	Answered bool   `json:"answered,omitempty"`
	ReadOnly bool   `json:"read_only,omitempty"`
	Source   string `json:"source,omitempty"`
	Trouble  string `json:"trouble,omitempty"`
	// Link is LinkUp, LinkCut or LinkSlow; Slow says how slow, CutFrom from whom alone.
	Link     string   `json:"link"`
	Slow     string   `json:"slow,omitempty"`
	CutFrom  []string `json:"cut_from,omitempty"`
	DiskFull bool     `json:"disk_full,omitempty"`
}

// Status looks at every host, all at the same time.
func (l *Lab) Status(ctx context.Context) (Status, error) {
	s := Status{ID: l.rec.ID, Dir: l.dir, Hosts: make([]HostStatus, len(l.Hosts))}
	if p := l.Mppd(); p.Running() {
		s.Mppd = p.ID().PID
	}
	for _, p := range l.Pools {
		holders, err := l.WhoHas(p.VIP)
		if err != nil {
			return s, fmt.Errorf("look at the lab: %w", err)
		}
		one := PoolStatus{Name: p.Name, VIP: p.VIP.String(), Holders: append([]string{}, holders...)}
		if p.VIP6.IsValid() {
			one.VIP6 = p.VIP6.String()
		}
		s.Pools = append(s.Pools, one)
	}
	cuts, err := l.cutPairs(ctx)
	if err != nil {
		return s, fmt.Errorf("look at the lab: %w", err)
	}
	errs := make([]error, len(l.Hosts))
	var all sync.WaitGroup
	for i, h := range l.Hosts {
		all.Go(func() { s.Hosts[i], errs[i] = h.status(ctx, cuts) })
	}
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return s, fmt.Errorf("look at the lab: %w", err)
		}
	}
	return s, nil
}

func (h *Host) status(ctx context.Context, cuts string) (HostStatus, error) {
	s := HostStatus{Name: h.Name, Kind: h.Kind, Address: h.Address.String(), Namespace: h.Namespace()}
	if h.server != nil {
		s.Pool = h.lab.rec.poolName(h.Pool)
		h.askServer(ctx, &s)
	}
	if h.Kind == KindManager {
		s.Server = h.lab.mppdState()
	}
	for _, other := range h.cutsIn(cuts) {
		s.CutFrom = append(s.CutFrom, other.Name)
	}
	var err error
	s.Link, s.Slow, err = h.Link()
	return s, err
}

// askServer asks on the server's socket, whatever became of its link.
func (h *Host) askServer(ctx context.Context, s *HostStatus) {
	s.DiskFull = h.server.DiskFull()
	switch {
	case !h.server.Running():
		s.Server = ServerDown
		return
	case h.server.Frozen():
		s.Server = ServerFrozen
		return
	}
	s.Server = ServerRunning
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	if h.server.Root().QueryRowContext(ctx, "SELECT @@global.read_only").Scan(&s.ReadOnly) != nil {
		return
	}
	replica, err := h.server.ReplicaStatus(ctx)
	if err != nil {
		return
	}
	s.Answered = true
	if replica == nil {
		return
	}
	s.Source = replica["Source_Host"]
	for _, other := range h.lab.Hosts {
		if other.Address.String() == s.Source {
			s.Source = other.Name
		}
	}
	if replica["Replica_IO_Running"] != "Yes" || replica["Replica_SQL_Running"] != "Yes" {
		s.Trouble = replica.Trouble()
	}
}
