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

// crooked reports whether a balancer's path is one that ServeMux would redirect to its clean
// form. HAProxy, for one, takes a redirect for yes.
func crooked(p string) bool {
	clean := path.Clean("/" + p)
	return clean == checkPath || (strings.HasPrefix(clean, checkPath+"/") && clean != p)
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
