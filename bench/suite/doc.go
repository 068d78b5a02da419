// Package suite is the comparison of servers: which loads are run ([Cases]),
// against whom, interleaved and in several rounds, and what must be reached.
//
// Every server runs all the time, each with a directory of its own; only one is
// under load. In each round every case is run against every server in turn, and
// the order of the servers changes from round to round, so that what changes on
// the machine meanwhile meets all of them alike.
package suite
