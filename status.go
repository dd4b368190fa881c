package mpp

import "fmt"

// Status is how well a node is. Statuses are ordered: a higher one is worse.
type Status uint8

// The statuses, best first.
const (
	OK Status = iota
	Info
	Warn
	Critical
	Fail
)

// String returns the word that is shown to people, such as "WARN".
func (s Status) String() string {
	switch s {
	case OK:
		return "OK"
	case Info:
		return "INFO"
	case Warn:
		return "WARN"
	case Critical:
		return "CRITICAL"
	case Fail:
		return "FAIL"
	default:
		return fmt.Sprintf("Status(%d)", uint8(s))
	}
}

// MarshalText writes the status as its word; a value that is none of the five is an error.
func (s Status) MarshalText() ([]byte, error) {
	if s > Fail {
		return nil, fmt.Errorf("encode status: %d is none of OK, INFO, WARN, CRITICAL, FAIL", uint8(s))
	}
	return []byte(s.String()), nil
}

// UnmarshalText reads a status word in upper case.
func (s *Status) UnmarshalText(text []byte) error {
	for candidate := OK; candidate <= Fail; candidate++ {
		if string(text) == candidate.String() {
			*s = candidate
			return nil
		}
	}
	return fmt.Errorf("decode status: %q is none of OK, INFO, WARN, CRITICAL, FAIL", text)
}

// Worse returns the worse of two statuses.
func Worse(a, b Status) Status {
	if b > a {
		return b
	}
	return a
}
