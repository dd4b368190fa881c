// Package api answers questions and takes commands over HTTP, on a unix socket and, if
// configured, on TCP.
//
// It owns its listeners and one goroutine a listener; net/http owns one a connection. It
// holds no state of its own: every answer is made from a Source, which the daemon
// implements. Reading blocks on nothing but the network. Do, CheckNow, Doctor and Reload of the
// Source may take time; each is called with a context that ends after a fixed limit.
//
// Who may do what: every GET is answered to everybody who can connect. Every POST needs the
// bearer token on TCP (without a token TCP is read-only); on the unix socket the file mode
// decides who can connect, and the peer's user is written into the command.
//
// Nothing is unbounded: connections, event streams, bodies, headers and the time of each
// request have limits. A client of the event stream that is too slow is cut off and can
// resume from the last number that it saw.
//
// GET /v1/check/... is for load balancers: it is always 200 or 503, never 404, because some
// balancers take 404 for "drain".
//
// openapi.json describes all of it; a test holds the two together. To test with the package,
// give New a Source made of functions and call ServeHTTP of Handler, or Start it on port 0.
package api
