package api

import (
	"cmp"
	"net/http"
	"slices"
	"strconv"

	"mpp"
)

const (
	// defaultOperations is how many operations are listed unless a limit is given.
	defaultOperations = 100
	// maxDoctors bounds the diagnoses at a time: each logs in everywhere.
	maxDoctors = 4
)

// OperationList is the answer to GET /v1/pools/{pool}/operations.
type OperationList struct {
	// Operations are those under way, then those that have ended, newest first.
	Operations []mpp.Operation `json:"operations"`
}

// getReadiness says what would happen if the ACTIVE node died now.
func (s *Server) getReadiness(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pool(r)
	if err != nil {
		return err
	}
	ready, found := s.o.Source.Readiness(p.Name)
	if !found {
		return failf(http.StatusNotFound, "only pools with an engine are ever ready to fail over", "pool %s has no engine: MPP promotes nothing there", p.Name)
	}
	writeJSON(w, http.StatusOK, filledReadiness(ready))
	return nil
}

// getOperations lists what is under way and what was done.
func (s *Server) getOperations(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pool(r)
	if err != nil {
		return err
	}
	limit := defaultOperations
	if text := r.URL.Query().Get("limit"); text != "" {
		if limit, err = strconv.Atoi(text); err != nil || limit < 0 {
			return failf(http.StatusBadRequest, "0 means all that are kept", "limit is no number of operations: %q", clip(text))
		}
	}
	told, err := s.o.Source.Operations(p.Name, limit)
	if err != nil {
		return err
	}
	list := OperationList{Operations: each(p, told)}
	if limit > 0 && len(list.Operations) > limit {
		list.Operations = list.Operations[:limit]
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

// each lists operations once each: those under way, then those that have ended, newest first. One
// that the view still shows as under way, and that is told to have ended, has ended.
func each(p *mpp.PoolView, told []mpp.Operation) []mpp.Operation {
	byID := map[uint64]mpp.Operation{}
	for _, o := range underWay(p) {
		byID[o.ID] = *o
	}
	for _, o := range told {
		if known, there := byID[o.ID]; !there || known.Ended.IsZero() {
			byID[o.ID] = o
		}
	}
	list := make([]mpp.Operation, 0, len(byID))
	for _, o := range byID {
		list = append(list, filledOperation(o))
	}
	slices.SortFunc(list, func(a, b mpp.Operation) int {
		if a.Ended.IsZero() != b.Ended.IsZero() {
			if a.Ended.IsZero() {
				return -1
			}
			return 1
		}
		return cmp.Compare(b.ID, a.ID)
	})
	return list
}

// underWay lists a pool's operations that have not ended.
func underWay(p *mpp.PoolView) []*mpp.Operation {
	var list []*mpp.Operation
	for _, o := range append(slices.Clone(p.Repairs), p.Operation) {
		if o != nil && o.Ended.IsZero() { // one that has just ended is among the others
			list = append(list, o)
		}
	}
	return list
}

// getOperation shows one operation. What has ended comes before what the view still shows as
// under way: a view may be a moment old.
func (s *Server) getOperation(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pool(r)
	if err != nil {
		return err
	}
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		return failf(http.StatusNotFound, "GET /v1/pools/"+p.Name+"/operations lists them", "%q is no operation's number", clip(r.PathValue("id")))
	}
	if o, found := s.o.Source.Operation(p.Name, id); found {
		writeJSON(w, http.StatusOK, filledOperation(o))
		return nil
	}
	for _, o := range underWay(p) {
		if o.ID == id {
			writeJSON(w, http.StatusOK, filledOperation(*o))
			return nil
		}
	}
	return failf(http.StatusNotFound, "GET /v1/pools/"+p.Name+"/operations lists them",
		"pool %s has no operation %d, or its report is no longer kept", p.Name, id)
}

// postDoctor has everything tried that a failover will need.
func (s *Server) postDoctor(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pool(r)
	if err != nil {
		return err
	}
	if p.Engine == mpp.EngineNone {
		return failf(http.StatusConflict, `set engine = "native" to let MPP promote`, "pool %s has no engine: MPP promotes nothing there, so there is nothing to try", p.Name)
	}
	select {
	case s.doctors <- struct{}{}:
		defer func() { <-s.doctors }()
	default:
		return failf(http.StatusServiceUnavailable, "wait for one to end", "%d diagnoses are under way already", maxDoctors)
	}
	ctx, done := s.patience(w, r, doctorTimeout)
	defer done()
	found, err := s.o.Source.Doctor(ctx, p.Name)
	s.o.Log.Info().Str("pool", p.Name).Str("by", asker(r, "")).Int("findings", len(found.Findings)).
		Stringer("worst", found.Worst()).Err(err).Msg("diagnosis")
	if err != nil {
		return err
	}
	found.Findings = orEmpty(found.Findings)
	writeJSON(w, http.StatusOK, found)
	return nil
}

// planned adds to the answer to a dry run what each step would say to the servers.
func (s *Server) planned(r mpp.Result) mpp.Result {
	if r.Plan == nil {
		return r
	}
	plan := filledOperation(*r.Plan)
	r.Plan = &plan
	r.Statements = make([][]string, len(plan.Steps))
	copy(r.Statements, s.o.Source.Statements(plan))
	for i := range r.Statements {
		r.Statements[i] = orEmpty(r.Statements[i])
	}
	return r
}

// filledOperation turns the nil lists that JSON must show into empty ones.
func filledOperation(o mpp.Operation) mpp.Operation {
	o.Steps = orEmpty(o.Steps)
	return o
}

func filledReadiness(r mpp.Readiness) mpp.Readiness {
	r.Now, r.IfActiveDied, r.Candidates = orEmpty(r.Now), orEmpty(r.IfActiveDied), orEmpty(r.Candidates)
	r.Blockers, r.Warnings = orEmpty(r.Blockers), orEmpty(r.Warnings)
	return r
}

// filledEngine fills what only a pool with an engine has.
func filledEngine(p *mpp.PoolView) {
	if p.Operation != nil {
		o := filledOperation(*p.Operation)
		p.Operation = &o
	}
	p.Repairs = slices.Clone(p.Repairs)
	for i, o := range p.Repairs {
		c := filledOperation(*o)
		p.Repairs[i] = &c
	}
	if p.Readiness != nil {
		r := filledReadiness(*p.Readiness)
		p.Readiness = &r
	}
}
