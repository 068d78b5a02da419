// Package load is an NFS version 3 client that only makes load: it measures a
// server and must cost little itself, because it usually runs beside it.
//
// # Use
//
// [Open] mounts an export and makes a directory of its own in it; [Session.Run]
// runs one [Job], as often as wanted, and makes the files that the job needs
// before its time begins; [Session.Close] removes what was made.
//
// # How it works
//
// A run has a few threads (locked goroutines), each with an epoll instance and
// its share of the connections. A connection has as many slots as calls may be
// under way at once. A slot's call lies ready from the record mark to the
// credential, and only the transaction id and the arguments are written for the
// next one; the calls that are ready together leave in one sendmsg. Of a reply
// only the beginning is looked at. The data of large READs is discarded in the
// kernel (recv with MSG_TRUNC) and never copied, unless it shall be verified.
// Clocks are read once for each batch. In a steady state nothing is allocated.
//
// # What is measured
//
// A latency goes from the time at which a call was handed to the kernel until
// its reply had been read. With [Job.Rate] it goes from the time at which the call
// was due: a server that stops for a while then pays for all the calls that were
// held up meanwhile, which is the correction for coordinated omission.
//
// # Goroutines
//
// A Session is used by one goroutine at a time. Run starts its threads and has
// ended them when it returns.
package load
