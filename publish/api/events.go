package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"mpp"
)

// EventList is the answer to GET /v1/events.
type EventList struct {
	// Events are the newest that were asked for, oldest first.
	Events []mpp.Event `json:"events"`
}

// selection is what a client wants to see of the events.
type selection struct {
	after      uint64
	given      bool // after was given
	limit      int  // 0 means all
	pool, node string
	since      time.Time
}

func (q selection) matches(e *mpp.Event) bool {
	return (q.pool == "" || e.Pool == q.pool) && (q.node == "" || e.Node == q.node) && !e.At.Before(q.since)
}

func (q selection) filters() bool { return q.pool != "" || q.node != "" || !q.since.IsZero() }

func selectionOf(r *http.Request) (selection, error) {
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return selection{}, failf(http.StatusBadRequest, "", "the query makes no sense: %s", clip(err.Error()))
	}
	q := selection{pool: values.Get("pool"), node: values.Get("node")}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = values.Get("after")
	}
	if after != "" {
		if q.after, err = strconv.ParseUint(after, 10, 64); err != nil {
			return q, failf(http.StatusBadRequest, "", "after is no event number: %q", clip(after))
		}
		q.given = true
	}
	if text := values.Get("limit"); text != "" {
		if q.limit, err = strconv.Atoi(text); err != nil || q.limit < 0 {
			return q, failf(http.StatusBadRequest, "0 means all", "limit is no number of events: %q", clip(text))
		}
	}
	if text := values.Get("since"); text != "" {
		if q.since, err = time.Parse(time.RFC3339, text); err != nil {
			return q, failf(http.StatusBadRequest, "write it as 2026-11-21T03:00:00Z", "since is no time: %q", clip(text))
		}
	}
	return q, nil
}

func (s *Server) getEvents(w http.ResponseWriter, r *http.Request) error {
	q, err := selectionOf(r)
	if err != nil {
		return err
	}
	if wantsStream(r) {
		return s.stream(w, r, q)
	}
	limit := q.limit
	if q.filters() {
		limit = 0
	}
	list := EventList{Events: []mpp.Event{}}
	for _, e := range s.o.Source.Events(q.after, limit) {
		if q.matches(&e) {
			list.Events = append(list.Events, e)
		}
	}
	if extra := len(list.Events) - q.limit; q.limit > 0 && extra > 0 {
		list.Events = list.Events[extra:]
	}
	writeJSON(w, http.StatusOK, list)
	return nil
}

func wantsStream(r *http.Request) bool {
	switch r.URL.Query().Get("stream") {
	case "1", "true":
		return true
	}
	return strings.Contains(r.Header.Get("Accept"), "text/event-stream")
}

// stream sends events as they happen. Without after it begins with what happens next.
func (s *Server) stream(w http.ResponseWriter, r *http.Request, q selection) error {
	select {
	case s.streams <- struct{}{}:
		defer func() { <-s.streams }()
	default:
		return failf(http.StatusServiceUnavailable, "close one, or ask without stream", "%d clients follow the events already", maxStreams)
	}
	if !q.given {
		if last := s.o.Source.Events(0, 1); len(last) > 0 {
			q.after = last[len(last)-1].Seq
		}
	}
	events, end := s.o.Source.Subscribe(q.after)
	defer end()
	w.Header().Set("Content-Type", "text/event-stream")
	out := sseWriter{w: w, control: http.NewResponseController(w)}
	_ = out.control.SetReadDeadline(time.Time{}) // or it would end the request's context
	w.WriteHeader(http.StatusOK)
	if out.comment("mppd "+mpp.Version) == nil {
		out.follow(r.Context(), events, q)
	}
	return nil
}

// sseWriter writes server-sent events; each write has a limit of its own.
type sseWriter struct {
	w       http.ResponseWriter
	control *http.ResponseController
}

// follow returns when the client goes, is too slow, or the server stops.
func (o sseWriter) follow(ctx context.Context, events <-chan mpp.Event, q selection) {
	beat := time.NewTicker(heartbeat)
	defer beat.Stop()
	for {
		var err error
		select {
		case <-ctx.Done():
			return
		case <-beat.C:
			err = o.comment("heartbeat")
		case e, more := <-events:
			if !more {
				_ = o.comment("cut off: too slow, or the daemon stops; resume from the last id")
				return
			}
			if q.matches(&e) {
				err = o.event(e)
			}
		}
		if err != nil {
			return
		}
	}
}

func (o sseWriter) comment(text string) error { return o.send(": " + text + "\n\n") }

func (o sseWriter) event(e mpp.Event) error {
	body, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	return o.send("id: " + strconv.FormatUint(e.Seq, 10) + "\ndata: " + string(body) + "\n\n")
}

func (o sseWriter) send(text string) error {
	if err := o.control.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	if _, err := o.w.Write([]byte(text)); err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	if err := o.control.Flush(); err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	return nil
}
