// Package transport moves RPC messages between sockets and programs: it has the listeners,
// connections, lanes and workers. It drives package rpc over uring/loop and bufring, and knows
// nothing of NFS.
//
// # Goroutines
//
//   - runLane: a lane, locked to its thread. It has a ring, a loop, memory for receiving and
//     sending, and the connections that were given to it. It shares none of these.
//   - runWorker: a worker, locked to its thread. It runs calls that may sleep.
//   - runPatrol: sends more workers when one sleeps in a brief call (brief.go).
//   - runDatagram: one for each UDP socket. Datagrams use no lane.
//   - runIdentify, runLookUp, runRenew: find out who a peer is where that may sleep
//     (origin.go, renew.go).
//   - runShed: closes descriptors when they run out.
//
// The reserve lane, which waits for no file system (reserve.go), accepts connections and offers
// each to the lane that has the fewest. Without a reserve lane the first lane accepts.
//
// # Life of a call
//
//	received -> parsed -> run on the lane -> reply queued -> sent
//	                          |      ^                         ^
//	                 would wait      | posted back             | by the worker,
//	                          v      |                         | if the output is lent
//	                          worker-+-------------------------+
//
// A reply that is made on the lane is encoded straight into the connection's send batch, READ data
// included. A call that goes to a worker takes along a buffer of its own, and the received bytes
// that it was parsed from: a copy if they are few, those bytes themselves otherwise. Both come back
// with the call. Calls that change the same object run on one worker, one after the other (batch.go).
// A worker sends the reply itself if the connection waits for nothing else (loan.go). Replies leave
// in the order in which they are ready, and all that are ready at the
// end of a turn leave in one send.
//
// # Calls to peers
//
// The server may call a peer by a connection that the peer has opened ([Server.Ask], ask.go). The
// record goes through the mailbox of the connection's lane, so that any goroutine may ask. What the
// peer sends and is no call is looked up among what it has been asked. A peer that answers what
// nobody has asked, or answers twice, loses its connection; an answer that comes after its time is
// passed over. What became of an ask is told once: the answer, its time is over, or the connection
// is.
//
// # Limits
//
// The lane stops reading from a connection that has too many calls in progress, too much unsent
// output or too much unprocessed input, until it has less.
//
// When a lane's receive memory runs short, connections in the middle of a record copy what they
// have into send slabs and give their receive buffers back. When there are no slabs to spare for
// that, the lane closes the connection that has waited longest in the middle of a record. A part of
// the slabs is never used for records, so that calls that keep receive buffers and wait for a slab
// go on. From a connection that has its share of receive memory, and from every connection when
// little is left, the lane reads in small pieces that keep none of that memory (careful.go).
//
// A call waits if there is no memory for its reply, or if its connection or household has its share
// (share.go); calls of others go past it. The lane drops a peer that does not take its replies for
// a time, which is shorter when others wait for the memory that the peer pins.
//
// # States
//
// A connection has three states with names. Its life says how far it has come, from dealt out over
// open to closed (life.go). Its intake says what is under way to receive. Its output, which has
// fields and methods of its own, says what the sends wait for (output.go). Each state changes in
// one or few places, and a table beside its names says which state may follow which; with the build
// tag checks any other change panics. way.go chooses how the data of a READ leaves.
//
// The workers see a call as a job (job.go). The queue, batches, brief calls and the patrol pass jobs
// on, and touch neither calls nor connections.
//
// # End of a connection
//
// The lane shuts the socket down at once, and closes it only when no operation on it is in flight.
// Otherwise a new connection could get the descriptor number while an old operation still names it.
// Calls that are with a worker run to their end; where the procedure asks for it, the cache keeps
// their replies for a retransmission. The wire of such a connection outlives it and says what the
// peer has heard. A call that gets no reply ends its connection.
//
// # Locks
//
// The workers' queue and each loop's mailbox have a mutex each, and so have the directory of
// connections and what is asked by each of them. Nobody takes one of them while holding another.
package transport
