// Package scenario holds MPP to what must be survived: each line of the list of scenarios is a
// test with real servers in a lab of network namespaces, with the real mppd, and a client that
// writes through the virtual address all the time.
//
// It has no code of its own but tests. TestScenarios goes through the table in table_test.go;
// what each run did is judged from outside, never by MPP's own word alone: by the client's
// record of acknowledged writes, by asking every server, by looking where the address is, by
// what neighbours believe. MPP's report is then held against that.
//
// Who owns what: TestScenarios owns one lab at a time, and uses it for as many runs as follow
// each other with the same setup, as long as they pass. To get back to a healthy pool is part
// of each run. A lab that a failed run left behind is thrown away.
//
// What may block: everything; each wait has a limit of its own.
//
//	go test ./scenario                     a fast subset, once each
//	MPP_LAB=all go test ./scenario         everything; make test-lab
//	MPP_LAB_ONLY=A1,C4                     of these, only some
//	MPP_LAB_FLAVOUR=mysql-9.7              only with this server
//	MPP_LAB_RUNS=3                         so many runs of each
//	MPP_LAB_FIRST=12                       from this run on
//	MPP_LAB_LOGS=DIR                       keep mppd's log and the reports of failed runs there,
//	MPP_LAB_KEEP=1                         and of all others
package scenario
