//go:build race

package sim

const (
	defaultHistories = 3_000
	defaultDrills    = 20
)
