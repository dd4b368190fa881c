package api

import (
	"context"
	"io"
	"time"

	"mpp"
)

// Source is what the API needs of the daemon. Its methods are called concurrently.
type Source interface {
	// View returns the present snapshot, which is never changed afterwards; nil before there
	// is one.
	View() *mpp.View
	// Explain says why a pool is as it is; false when there is no such pool.
	Explain(pool string) (mpp.Explanation, bool)
	// Events returns the kept events with a Seq above after, oldest first: the newest limit
	// of them, or all when limit is 0.
	Events(after uint64, limit int) []mpp.Event
	// Subscribe returns the kept events above after and then every new one. The channel is
	// bounded and closed when the reader is too slow. The function ends the subscription.
	Subscribe(after uint64) (<-chan mpp.Event, func())
	// Do has a command carried out. A refusal is a Result; an error says that nobody knows.
	Do(ctx context.Context, pool string, c mpp.Command) (mpp.Result, error)
	// CheckNow polls a node at once.
	CheckNow(ctx context.Context, node string) (mpp.Observation, error)
	// Record writes what is kept since from as JSON lines; a zero from means all.
	Record(ctx context.Context, from time.Time, w io.Writer) error
	// Operations returns operations of a pool that have ended, newest first, those of runs before
	// as far as their reports are kept: limit of them, or all when limit is 0. Those under way may
	// be among them.
	Operations(pool string, limit int) ([]mpp.Operation, error)
	// Operation returns one operation of a pool by its number, ended or under way; false when
	// there is none, or its report is no longer kept.
	Operation(pool string, id uint64) (mpp.Operation, bool)
	// Readiness says what would happen if the pool's ACTIVE node died now; false when there is no
	// such pool or it has no engine.
	Readiness(pool string) (mpp.Readiness, bool)
	// Statements returns the statements and commands of each step of a plan, in order; empty for
	// steps that have none. Nothing is asked of any server, and no password is among them.
	Statements(op mpp.Operation) [][]string
	// Doctor tries, harmlessly, everything that a failover of the pool will need.
	Doctor(ctx context.Context, pool string) (mpp.Diagnosis, error)
	// Reload reads the configuration again; the error lists everything that is wrong with it.
	Reload(ctx context.Context) error
}
