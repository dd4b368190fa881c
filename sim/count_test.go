//go:build !race

package sim

const (
	defaultHistories = 100_000
	defaultDrills    = 100
)
