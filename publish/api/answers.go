package api

import (
	"net/http"
	"path"
	"strconv"
	"strings"
	"time"

	"mpp"
	"mpp/publish/answer"
)

// stateHeader is written as it stands: balancers search for it with its letters' case.
const stateHeader = "MPP-STATE"

// checkPath is where balancers ask.
const checkPath = "/v1/check"

// misaskedAt reports whether a request is for a balancer's answer, and is put so that ServeMux
// would answer instead: with a redirect to a path that it takes for cleaner, which HAProxy, for
// one, takes for yes, or with an error for the method, which some take for "drain". What the
// path begins with as it was sent decides, not what it would be when cleaned.
func misaskedAt(method, p string) bool {
	clean := path.Clean("/" + p)
	if !strings.HasPrefix(p, checkPath+"/") && !strings.HasPrefix(clean, checkPath+"/") && clean != checkPath {
		return false
	}
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
		return clean != p || clean == checkPath
	default:
		return true
	}
}

// misasked is the answer to a question about a role that is not put as it must be.
func misasked() answer.Reply {
	return answer.Reply{State: answer.Down, Reason: "ask GET " + checkPath + "/{writer|reader|ok}/{host:port}"}
}

// getAnswer tells a load balancer yes (200) or no (503). Everything that it cannot answer,
// nonsense included, is no.
func (s *Server) getAnswer(w http.ResponseWriter, r *http.Request) error {
	q := answer.Question{
		Role: mpp.Role(r.PathValue("role")),
		Node: r.PathValue("node"),
		Pool: r.URL.Query().Get("pool"),
	}
	writeReply(w, answer.To(q, s.o.Source.View(), time.Now()))
	return nil
}

func writeReply(w http.ResponseWriter, reply answer.Reply) {
	body, status := "DOWN "+reply.Reason+"\n", http.StatusServiceUnavailable
	if reply.Up {
		body, status = "UP "+reply.Reason+"\n", http.StatusOK
	}
	h := w.Header()
	h[stateHeader] = []string{string(reply.State)}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	writeText(w, status, body)
}
