// Package fault words what is wrong in a file of a configuration: where it is, what it
// is, and what to do: of MHA's and MHA Helper's files in the form in which package config words it for MPP's own.
//
// It is pure, and knows nothing of what the files mean. To test with it, compare Problems as
// values.
package fault
