// Package remotetest gives tests hosts to reach: network namespaces on a bridge, and OpenSSH's
// own sshd.
//
// Main runs a package's tests in namespaces of their own (network, mounts, processes), so that
// nothing they do can be seen outside or outlive them: the names and addresses below are always
// free, and no cleaning up can be forgotten. That takes root; without, tests that need a host
// are skipped.
//
// Everything blocks for as long as a few processes take to start, and fails the test at a limit.
package remotetest
