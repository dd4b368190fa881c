// Package hook knows MHA's side of the programs that MHA 0.58 calls: what the arguments of each
// phase mean, what is to be done in it, and which exit code says how it went.
//
// Parse reads the arguments of a call. MHA's versions differ in order and in names, so they are
// read by name, and what is unknown is a note and no error. Decide makes a Plan of a Request and
// of what is configured: stages one after the other, each with steps at the same time, each step
// with its limit and with what its failure means. Verdict says by what became of the steps which
// exit code MHA gets. Follow says what is to be done when MHA has ended after a stop.
//
// Everything here is pure: no clock, no file, no server. Package perform carries plans out.
//
// To test with it, compare the text of plans: testdata has one for each phase.
package hook
