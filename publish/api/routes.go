package api

import (
	"crypto/subtle"
	"net"
	"net/http"
	"strings"

	"mpp/publish/answer"
)

// route is one line of the table of everything that is served.
type route struct {
	method  string // GET serves HEAD too; ANY is GET, HEAD and OPTIONS
	path    string
	handler func(w http.ResponseWriter, r *http.Request) error
}

// anyMethod marks the routes that balancers ask with GET, HEAD or OPTIONS.
const anyMethod = "ANY"

// table lists every route. A test compares it with openapi.json.
func (s *Server) table() []route {
	routes := []route{
		{"GET", "/v1/pools", s.getPools},
		{"GET", "/v1/pools/{pool}", s.getPool},
		{"GET", "/v1/pools/{pool}/explain", s.getExplain},
		{"GET", "/v1/pools/{pool}/readiness", s.getReadiness},
		{"GET", "/v1/pools/{pool}/operations", s.getOperations},
		{"GET", "/v1/pools/{pool}/operations/{id}", s.getOperation},
		{"POST", "/v1/pools/{pool}/commands", s.postCommand},
		{"POST", "/v1/pools/{pool}/doctor", s.postDoctor},
		{"GET", "/v1/nodes", s.getNodes},
		{"GET", "/v1/nodes/{node}", s.getNode},
		{"POST", "/v1/nodes/{node}/check", s.postCheck},
		{anyMethod, "/v1/check/{role}/{node}", s.getAnswer},
		{"GET", "/v1/events", s.getEvents},
		{"GET", "/v1/record", s.getRecord},
		{"POST", "/v1/reload", s.postReload},
		{"GET", "/v1/openapi.json", s.getOpenAPI},
		{"GET", "/-/healthy", s.getHealthy},
		{"GET", "/-/ready", s.getReady},
	}
	if s.o.Metrics != nil {
		routes = append(routes, route{"GET", "/metrics", s.getMetrics})
	}
	return routes
}

func (s *Server) routes() *http.ServeMux {
	mux := http.NewServeMux()
	for _, each := range s.table() {
		h := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if err := each.handler(w, r); err != nil {
				writeFailure(w, err)
			}
		})
		if each.method == anyMethod {
			mux.Handle("GET "+each.path, h)
			mux.Handle("OPTIONS "+each.path, h)
			continue
		}
		mux.Handle(each.method+" "+each.path, h)
	}
	// Whoever asks a question about a role wrongly is told no, and never 404.
	mux.HandleFunc(checkPath+"/", func(w http.ResponseWriter, _ *http.Request) {
		writeReply(w, misasked())
	})
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) { writeFailure(w, s.strayed(mux, r)) })
	return mux
}

// strayed says why no route fits: the path is unknown, or only the method is wrong.
func (s *Server) strayed(mux *http.ServeMux, r *http.Request) error {
	for _, method := range []string{http.MethodGet, http.MethodPost} {
		other := r.Clone(r.Context())
		other.Method = method
		if _, pattern := mux.Handler(other); strings.HasPrefix(pattern, method+" ") {
			return failf(http.StatusMethodNotAllowed, "use "+method, "%s is not possible here", clip(r.Method))
		}
	}
	return failf(http.StatusNotFound, "GET /v1/openapi.json describes what there is", "there is nothing at %s", clip(r.URL.Path))
}

// overSocket serves those whom the socket's file mode let in: they may do everything.
func (s *Server) overSocket(next http.Handler) http.Handler { return next }

// overTCP serves everybody who can connect; what changes something needs the token.
func (s *Server) overTCP(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.Method {
		case http.MethodGet, http.MethodHead, http.MethodOptions:
		default:
			if err := s.admit(r); err != nil {
				w.Header().Set("WWW-Authenticate", `Bearer realm="mppd"`)
				writeFailure(w, err)
				return
			}
		}
		next.ServeHTTP(w, r)
	})
}

// admit checks the bearer token in constant time.
func (s *Server) admit(r *http.Request) error {
	if s.o.Token == "" {
		return failf(http.StatusForbidden, "use the unix socket on the daemon's host, or set api.token_file", "over TCP this daemon is read-only")
	}
	scheme, given, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") || given == "" {
		return failf(http.StatusUnauthorized, "send the header Authorization: Bearer TOKEN", "commands over TCP need the token")
	}
	if subtle.ConstantTimeCompare([]byte(strings.TrimSpace(given)), []byte(s.o.Token)) != 1 {
		return failf(http.StatusUnauthorized, "it must be the content of the daemon's api.token_file", "this token is not the right one")
	}
	return nil
}

// asker names who sent a request: a user over the socket, an address over TCP. What the
// client says of itself is added, never believed.
func asker(r *http.Request, claimed string) string {
	who := userName(r.RemoteAddr)
	if host, _, err := net.SplitHostPort(r.RemoteAddr); err == nil {
		who = host
	}
	claimed = clip(answer.OneLine(claimed))
	if claimed == "" || claimed == who {
		return who
	}
	return who + " for " + claimed
}

// clip keeps what a client sent from filling messages and logs.
func clip(text string) string {
	if len(text) > 80 {
		text = text[:80] + "..."
	}
	return answer.OneLine(text)
}
