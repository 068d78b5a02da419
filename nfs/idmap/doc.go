// Package idmap is about the owners and owning groups of NFSv4, which are texts: a number in
// digits, or name@domain (RFC 8881, section 5.9).
//
// # What is taken and what is sent
//
// A number is taken as it is. A name is looked up in the system's database; its domain is of no
// account unless [Config.Domain] says which one names are of. Numbers are sent, too, unless there
// is such a domain: Linux and the hosts of virtual machines get along with numbers best, since no
// two databases have to agree. What has no name is sent as a number in any case.
//
// # Look-ups that take long
//
// A database may be on another machine, and hang. So each look-up runs on a goroutine of its own,
// at most [LookupsMax] at a time, and its answer is remembered for ten minutes. Who asks waits for
// it for Config.Patience at most, and not at all while another look-up has not come back in that
// time: then the former answer is used, if there was one.
//
// # Threads
//
// A [Map] is used by all threads. What is remembered of a number is read without a lock and without
// allocation. Methods with the argument wait block, for Config.Patience, only if it is true.
//
// There are no goroutines but those of the look-ups.
package idmap
