// Package takeover makes a configuration of MPP out of MHA's, and of MHA Helper's where there is
// one: what MHA was told goes where MPP has a key for it, and whatever has none stands in a list at
// the end, with the reason and what to do instead. Fates is that list for every parameter;
// docs/mha-import.md has it as a table.
//
// It is pure: it reads and writes no file and asks no server. Passwords are in Result.Files alone,
// never in the text.
//
// To test with it: load files with packages mha/conf and mha/helperconf, and compare Result.TOML,
// or what package config makes of it.
package takeover
