package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// failure is an error with its HTTP status and, perhaps, what to do about it.
type failure struct {
	status int
	text   string
	hint   string
}

func (f *failure) Error() string { return f.text }

func failf(status int, hint, format string, args ...any) error {
	return &failure{status: status, text: fmt.Sprintf(format, args...), hint: hint}
}

// Problem is the body of every answer that is an error.
type Problem struct {
	// Error is one line, or several when several things are wrong.
	Error string `json:"error"`
	// Hint says what to do; empty for none.
	Hint string `json:"hint,omitempty"`
}

// judge finds the status of an error from the daemon.
func judge(err error) *failure {
	var f *failure
	switch {
	case errors.As(err, &f):
		return f
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{http.StatusGatewayTimeout, "the daemon did not get it done in time", "it may still be carried out: look at the events"}
	default:
		return &failure{http.StatusServiceUnavailable, err.Error(), ""}
	}
}

func writeFailure(w http.ResponseWriter, err error) {
	f := judge(err)
	writeJSON(w, f.status, Problem{Error: f.text, Hint: f.hint})
}

// writeJSON sends v. A value that cannot be encoded is this program's mistake: the client
// gets status 500.
func writeJSON(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status = http.StatusInternalServerError
		body, _ = json.Marshal(Problem{Error: "encode the answer: " + err.Error(), Hint: "please report this"})
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(append(body, '\n'))
}
