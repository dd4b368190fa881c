//go:build race

package daemon_test

func raceFlag() []string { return []string{"-race"} }
