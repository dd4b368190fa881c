// Package secret holds a password or token in such a way that nothing prints it.
//
// It is pure. To test with it, print and encode what holds a Secret, in every way, and look for the text.
package secret

import (
	"fmt"
	"io"
)

// Hidden is what a secret prints as.
const Hidden = "[secret]"

// Secret is a password or token. Every way of printing or encoding it gives "[secret]", or
// nothing when it is empty; only Reveal gives the text. It holds its text behind a pointer,
// so that a reflecting printer that cannot call its methods shows an address.
type Secret struct{ text *string }

// New returns a secret that holds text.
func New(text string) Secret {
	if text == "" {
		return Secret{}
	}
	return Secret{text: &text}
}

// Reveal returns the text itself, for the login and for nothing else.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s Secret) IsZero() bool { return s.text == nil }

// Equal reports whether two secrets hold the same text.
func (s Secret) Equal(o Secret) bool { return s.Reveal() == o.Reveal() }

// String returns "[secret]", or "" when the secret is empty.
func (s Secret) String() string {
	if s.IsZero() {
		return ""
	}
	return Hidden
}

// GoString is String, for %#v.
func (s Secret) GoString() string { return s.String() }

// Format writes String whatever the verb is.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is String, for encoders of every kind.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// MarshalJSON is String as a JSON string.
func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + s.String() + `"`), nil }
