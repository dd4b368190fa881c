package scenario_test

import (
	"context"
	"time"

	"mpp/sandbox"
)

// limits are what a measured time is held against; zero means no limit.
type limits struct{ median, worst time.Duration }

// scenario is one line of the list.
type scenario struct {
	id string
	// what happens, and expected what must come of it, in words.
	what, expected string
	// measures says what the time is, an outage of writes unless it says otherwise.
	measures string
	limits   limits
	setup    setup
	// flavours besides MariaDB 10.11 that it is tried on.
	flavours []sandbox.Flavour
	// runs is how often with MariaDB 10.11, again with each other flavour; 0 means 1.
	runs, again int
	// fast scenarios are those that every test run has, once each.
	fast bool
	// fresh scenarios leave a pool behind that only an operator can make whole.
	fresh bool
	act   func(ctx context.Context, r *run) error
}

// everyFlavour are those that the most important scenarios are tried on, too.
func everyFlavour() []sandbox.Flavour {
	return []sandbox.Flavour{sandbox.MariaDB118, sandbox.MySQL97}
}

// goOn is one run of a scenario on the lab that the run before has left, where it is whole.
func table() []scenario {
	var all []scenario
	for _, list := range [][]scenario{failoverTable(), keepTable(), plannedTable(), faultTable(), dataTable(), addressTable(), managerTable()} {
		all = append(all, list...)
	}
	return all
}
