package vip

import (
	"context"
	"net"
	"net/netip"
)

// network is the network of one host. All of it ends with its context.
type network interface {
	// look tells what is there.
	look(ctx context.Context) (state, error)
	// change makes the changes in turn and stops at the first that fails; then, if all were
	// made, it sends the frames from the interface; then it looks. An error means that nothing
	// is known of what was done.
	change(ctx context.Context, all []change, from string, frames [][]byte) (outcome, error)
	// ask asks from an interface who has an address and returns the first frame that somebody
	// answers with who is not one of the own, nil when nobody does within askWait.
	ask(ctx context.Context, from link, address netip.Addr, own []net.HardwareAddr) ([]byte, error)
	// try tries, harmlessly, whether addresses may be changed and frames sent, and whether
	// keepalived is told to move the wanted addresses, too; it says in words what is wrong.
	try(ctx context.Context, from string, wanted []netip.Prefix) []string
}

// outcome is what came of a change.
type outcome struct {
	// state is what was there afterwards.
	state state
	// failed is why a change was not made; unsent, why frames were not sent. Empty means well.
	failed, unsent string
}
