package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"time"

	"mpp"
)

// decode reads a JSON body into v. Unknown fields and anything after the value are refused:
// a misspelt field must not be a command without it.
func decode(r *http.Request, v any) error {
	const hint = "GET /v1/openapi.json describes the body"
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err := d.Decode(v)
	var big *http.MaxBytesError
	switch {
	case errors.As(err, &big):
		return failf(http.StatusRequestEntityTooLarge, "", "the body is larger than %d bytes", big.Limit)
	case errors.Is(err, io.EOF):
		return failf(http.StatusBadRequest, hint, "the body is empty")
	case err != nil:
		return failf(http.StatusBadRequest, hint, "decode body: %s", clip(err.Error()))
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return failf(http.StatusBadRequest, hint, "there is more after the body's JSON value")
	}
	return nil
}

// postCommand has a command carried out: 200 when it was, 409 with the reason when the
// pool's logic does not allow it.
func (s *Server) postCommand(w http.ResponseWriter, r *http.Request) error {
	p, err := s.pool(r)
	if err != nil {
		return err
	}
	var c mpp.Command
	if err := decode(r, &c); err != nil {
		return err
	}
	if err := s.check(p, &c); err != nil {
		return err
	}
	c.By = asker(r, c.By)
	ctx, done := s.patience(w, r, commandTimeout)
	defer done()
	result, err := s.o.Source.Do(ctx, p.Name, c)
	s.o.Log.Info().Str("pool", p.Name).Str("verb", string(c.Verb)).Str("node", c.Node).Str("by", c.By).
		Bool("done", result.Done).Str("refused", result.Refused).Err(err).Msg("command")
	if err != nil {
		return err
	}
	result.Changes = orEmpty(result.Changes)
	result = s.planned(result)
	status := http.StatusOK
	if !result.Done {
		status = http.StatusConflict
	}
	writeJSON(w, status, result)
	return nil
}

// patience gives a request the time that the daemon may need, which is limit.
func (s *Server) patience(w http.ResponseWriter, r *http.Request, limit time.Duration) (context.Context, context.CancelFunc) {
	control := http.NewResponseController(w)
	_ = control.SetReadDeadline(time.Time{}) // or it would end the request's context
	_ = control.SetWriteDeadline(time.Now().Add(limit + writeTimeout))
	return context.WithTimeout(r.Context(), limit)
}

// postCheck polls a node at once.
func (s *Server) postCheck(w http.ResponseWriter, r *http.Request) error {
	n, err := s.node(r)
	if err != nil {
		return err
	}
	ctx, done := s.patience(w, r, commandTimeout)
	defer done()
	o, err := s.o.Source.CheckNow(ctx, n.Address)
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, filledObservation(o))
	return nil
}

// Reloaded is the answer to a reload that was taken.
type Reloaded struct {
	// Config names the file or folder that is in force.
	Config string `json:"config"`
}

// postReload reads the configuration again: 409 with every mistake when it is not taken.
func (s *Server) postReload(w http.ResponseWriter, r *http.Request) error {
	ctx, done := s.patience(w, r, commandTimeout)
	defer done()
	err := s.o.Source.Reload(ctx)
	s.o.Log.Info().Str("by", asker(r, "")).Err(err).Msg("reload asked for")
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		return err
	}
	if err != nil {
		return failf(http.StatusConflict, "the configuration before stays in force", "%s", err)
	}
	v, err := s.view()
	if err != nil {
		return err
	}
	writeJSON(w, http.StatusOK, Reloaded{Config: v.Config})
	return nil
}

// getRecord streams what is kept for replay. A record that ends early is cut off without the
// closing chunk, so that the client notices.
func (s *Server) getRecord(w http.ResponseWriter, r *http.Request) error {
	var from time.Time
	if text := r.URL.Query().Get("from"); text != "" {
		var err error
		if from, err = time.Parse(time.RFC3339, text); err != nil {
			return failf(http.StatusBadRequest, "write it as 2026-11-21T03:00:00Z", "from is no time: %q", clip(text))
		}
	}
	out := &recordWriter{w: w, control: http.NewResponseController(w)}
	_ = out.control.SetReadDeadline(time.Time{}) // or it would end the request's context
	err := s.o.Source.Record(r.Context(), from, out)
	switch {
	case err == nil && !out.begun:
		out.begin()
	case err != nil && !out.begun:
		return err
	case err != nil:
		s.o.Log.Warn().Err(err).Msg("a record was cut off")
		_ = out.control.Flush()
		panic(http.ErrAbortHandler) // cuts the answer off without its last chunk
	}
	return nil
}

// recordWriter sends the header with the first byte, and gives each write its own time.
type recordWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
}

func (o *recordWriter) begin() {
	o.begun = true
	o.w.Header().Set("Content-Type", "application/x-ndjson")
	o.w.WriteHeader(http.StatusOK)
}

func (o *recordWriter) Write(p []byte) (int, error) {
	if !o.begun {
		o.begin()
	}
	_ = o.control.SetWriteDeadline(time.Now().Add(writeTimeout))
	return o.w.Write(p)
}
