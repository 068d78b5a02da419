// Package load is an NFS version 3 client that only makes load. It measures a server, and must cost
// little itself, because it usually runs on the server's machine.
//
// # Use
//
// [Open] mounts an export and makes a directory of its own in it. [Session.Run] runs one [Job];
// before the measured time begins it makes the files that the job needs. It may be called again and
// again. [Session.Close] removes what was made.
//
// # How it works
//
// A run has a few threads (locked goroutines), each with an epoll instance and its share of the
// connections. A connection has as many slots as calls may be under way at once. A slot's call lies
// ready from the record mark to the credential; for the next call only the transaction id and the
// arguments are written. The calls that are ready together leave in one sendmsg.
//
// Of a reply the client looks at the beginning only. The kernel discards the data of large READs
// (recv with MSG_TRUNC) without copying it, unless it shall be verified. The client reads clocks
// once for each batch. In a steady state it allocates nothing.
//
// # What is measured
//
// A latency is the time from the moment when a call was passed to the kernel until its reply had
// been read. With [Job.Rate] it begins when the call was due. A server that stops for a while then
// pays for all calls that were held up meanwhile; this is the correction for coordinated omission.
//
// # Goroutines
//
// A Session is for one goroutine at a time. Run starts its threads (runThread), and has ended them
// when it returns.
package load
