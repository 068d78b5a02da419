// Package suite compares servers. It says which loads are run ([Cases]), against which servers, and
// which goals must be reached. The measurements are interleaved and made in several rounds.
//
// Every server runs all the time, each with a directory of its own; only one is under load. In each
// round every case is run against every server in turn. The order of the servers changes from round
// to round, so that changes on the machine affect all of them alike.
package suite
