package config

import "mpp/secret"

// Secret is a password or token of the configuration.
type Secret = secret.Secret

// NewSecret returns a secret that holds text.
func NewSecret(text string) Secret { return secret.New(text) }
