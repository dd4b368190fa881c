// Package config turns TOML into typed values: a complete Default, the files decoded over it
// (global defaults, then pool, then node), and one Validate that returns every problem at
// once, each with its file, line and key, what is wrong and what to do.
//
// The tables in keys_*.go are the one place that knows a key: its name, meaning, default and
// allowed values, and where its value goes. Decoding, validation, Diff and the reference in
// docs/configuration.md (go generate ./config) are all driven by them.
//
// Load reads the configuration and what it names (password files, certificates, tokens), so
// it may block on a slow file system; it reads regular files of bounded size only. Nothing
// is kept: a Config is plain data that belongs to its caller and is not changed after Load.
// Passwords are of type Secret, which prints as "[secret]" everywhere.
//
// To test with it: start from Default, or write a file into a test's folder and Load it.
package config

//go:generate go run ./gendoc ../docs/configuration.md
