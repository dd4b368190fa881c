// Package compat makes MHA 0.58 run as it is packaged: it puts small Perl modules of ours, the
// overlays, in front of the packaged ones, on this host and on others.
//
// An overlay loads the packaged module and replaces the few functions in it that fail, so a
// packaged file is never touched, and an upgrade of the package takes no overlay away. On Debian
// they go to /etc/perl, the first folder that perl looks in; elsewhere to the first of /usr/local
// that comes before MHA's own. The first line of each has its version; a file without that line
// is not ours and is never replaced or removed. When an overlay changes, its version grows.
//
// A Job is run on a host by a Perl program, the agent, in one command. The agent tries the
// packaged modules and those that MHA would get, by running them; it guesses nothing. It changes
// a file whole or not at all, and an install that does not help is undone. Everything is
// idempotent.
//
// Who owns what: a Job owns nothing; OnAll opens the hosts' connections and closes them. What may
// block: On until its context ends, OnAll until its limit is over for every host.
//
// To test: the agent needs perl and MHA's packages and no server; the tests run it in folders of
// their own, and once in a lab with MHA's own programs.
package compat
