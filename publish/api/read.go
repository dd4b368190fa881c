package api

import (
	"net/http"
	"slices"

	"mpp"
	"mpp/publish/answer"
)

// view returns the present view, or a failure before there is one.
func (s *Server) view() (*mpp.View, error) {
	v := s.o.Source.View()
	if v == nil {
		return nil, failf(http.StatusServiceUnavailable, "try again in a moment", "mppd is starting: nothing is known yet")
	}
	return v, nil
}

func (s *Server) getPools(w http.ResponseWriter, _ *http.Request) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	whole := *v
	whole.Pools = make([]mpp.PoolView, len(v.Pools))
	for i := range v.Pools {
		whole.Pools[i] = filled(v.Pools[i])
	}
	writeJSON(w, http.StatusOK, whole)
	return nil
}

// filled turns the nil lists of a pool into empty ones, which JSON tells apart.
func filled(p mpp.PoolView) mpp.PoolView {
	p.Problems = orEmpty(p.Problems)
	p.Checkpoints = orEmpty(p.Checkpoints)
	filledEngine(&p)
	p.Nodes = slices.Clone(orEmpty(p.Nodes))
	for i := range p.Nodes {
		if o := p.Nodes[i].Observation; o != nil {
			c := filledObservation(*o)
			p.Nodes[i].Observation = &c
		}
	}
	return p
}

func filledObservation(o mpp.Observation) mpp.Observation {
	o.Checks = orEmpty(o.Checks)
	return o
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// pool finds the pool that the path names.
func (s *Server) pool(r *http.Request) (*mpp.PoolView, error) {
	v, err := s.view()
	if err != nil {
		return nil, err
	}
	name := r.PathValue("pool")
	for i := range v.Pools {
		if v.Pools[i].Name == name {
			return &v.Pools[i], nil
		}
	}
	return nil, failf(http.StatusNotFound, "GET /v1/pools lists the pools", "there is no pool %q", clip(name))
}

// node finds the node that the path names, in any form of its address.
func (s *Server) node(r *http.Request) (*mpp.NodeView, error) {
	v, err := s.view()
	if err != nil {
		return nil, err
	}
	_, n, why := answer.Find(v, r.URL.Query().Get("pool"), r.PathValue("node"))
	if n == nil {
		return nil, failf(http.StatusNotFound, "GET /v1/nodes lists the nodes", "%s", why)
	}
	return n, nil
}

func (s *Server) getPool(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pool(r)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, filled(*p))
	return nil
}

func (s *Server) getExplain(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pool(r)
	if err != nil {
		return err
	}
	e, found := s.o.Source.Explain(p.Name)
	if !found {
		return failf(http.StatusNotFound, "GET /v1/pools lists the pools", "there is no pool %q any more", p.Name)
	}
	e.Nodes, e.IfActiveDied, e.Problems = orEmpty(e.Nodes), orEmpty(e.IfActiveDied), orEmpty(e.Problems)
	if e.Readiness != nil {
		ready := filledReadiness(*e.Readiness)
		e.Readiness = &ready
	}
	writeJSON(w, http.StatusOK, e)
	return nil
}

// NodeList is the answer to GET /v1/nodes.
type NodeList struct {
	// Nodes are those of all pools, in configured order.
	Nodes []mpp.NodeView `json:"nodes"`
}

func (s *Server) getNodes(w http.ResponseWriter, r *http.Request) error {
	v, err := s.view()
	if err != nil {
		return err
	}
	only := r.URL.Query().Get("pool")
	list := NodeList{Nodes: []mpp.NodeView{}}
	for i := range v.Pools {
		if only == "" || v.Pools[i].Name == only {
			list.Nodes = append(list.Nodes, filled(v.Pools[i]).Nodes...)
		}
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

func (s *Server) getNode(w http.ResponseWriter, r *http.Request) error {
	n, err := s.node(r)
	if err != nil {
		return err
	}
	copied := *n
	if o := n.Observation; o != nil {
		c := filledObservation(*o)
		copied.Observation = &c
	}
	writeJSON(w, http.StatusOK, copied)
	return nil
}

func (s *Server) getMetrics(w http.ResponseWriter, r *http.Request) error {
	s.o.Metrics.ServeHTTP(w, r)
	return nil
}

// getHealthy says that the process answers, and nothing about databases.
func (s *Server) getHealthy(w http.ResponseWriter, _ *http.Request) error {
	writeText(w, http.StatusOK, "healthy\n")
	return nil
}

// getReady says whether every node was polled since the start.
func (s *Server) getReady(w http.ResponseWriter, _ *http.Request) error {
	v := s.o.Source.View()
	if v == nil || !v.Ready {
		writeText(w, http.StatusServiceUnavailable, "not ready: not every node was polled since the start\n")
		return nil
	}
	writeText(w, http.StatusOK, "ready\n")
	return nil
}

func writeText(w http.ResponseWriter, status int, text string) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = w.Write([]byte(text))
}
