package client

import (
	"context"
	"net"
	"net/http"
)

// NewDialing is a client of a socket whose connections come from dial.
func NewDialing(dial func(ctx context.Context) (net.Conn, error)) *Client {
	transport := &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return dial(ctx) }}
	return &Client{http: &http.Client{Transport: transport}, base: "http://mppd", where: "test", unix: true}
}
