// Package conf reads MHA's configuration as MHA 0.58 reads it: the global file, then the
// application's, by the rules of Perl's Config::Tiny and of MHA::Config.
//
// Those rules have corners, and all of them are kept: a value loses a quote at its end, and one at
// its beginning with it, once for every section that it is handed down through; ` ; x` cuts a
// value off; a parameter that is there and empty hides an inherited one; servers are ordered by the
// first number in the name of their section if all have one, else by name; ssh_options count for
// all servers, the last ones read; the switches are on unless they are empty or 0. Where a rule
// does what nobody expects, there is a warning.
//
// Unlike MHA, Load says everything that is wrong at once, with file, line and name, and looks up
// no name in the DNS. Whatever MHA refuses is refused.
//
// Load reads two regular files of bounded size; the rest is pure and nothing is kept. Passwords are
// of type secret.Secret, which prints as "[secret]", and are never part of what is said to be wrong.
// init_conf_load_script is run by nobody here: whoever wants its values gives Options.Script.
//
// To test with it: write a file into a test's folder and Load it.
package conf
