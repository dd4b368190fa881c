// Package mpp holds the nouns that every part of MPP speaks with: nodes, their types,
// states and statuses, what a poll found (Observation), what the pool decided (Action,
// Event) and what is shown to the outside (View).
//
// The package is pure data: it reads no clock, no file and no socket, and it imports
// nothing of MPP. Times are arguments, durations are time.Duration in code and carry a
// `_ns` suffix in JSON. All values may be copied; slices and pointers inside a value that
// was published (an Observation in a View, say) are never changed afterwards, so readers
// need no lock.
package mpp

// Version is the release that this source belongs to; CHANGELOG.md has the same number.
const Version = "0.1.0"
