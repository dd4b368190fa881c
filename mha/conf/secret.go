package conf

import (
	"fmt"
	"io"
)

// hidden is what a secret prints as.
const hidden = "[secret]"

// Secret is a password. Every way of printing or encoding it gives "[secret]", or nothing when it
// is empty; only Reveal gives the text. It holds its text behind a pointer, so that a reflecting
// printer that cannot call its methods shows an address.
type Secret struct{ text *string }

// NewSecret returns a secret that holds text.
func NewSecret(text string) Secret {
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
	return hidden
}

// Format writes String whatever the verb is.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, s.String()) }

// MarshalText is String, for encoders of every kind.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }
