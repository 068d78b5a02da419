// Package rpc is ONC RPC version 2 (RFC 5531) without any I/O: record marking,
// call and reply headers, credentials, the program table and the dispatch of
// one call. Bytes come in, bytes go out; package transport moves them.
//
// # Life of a call
//
// [Records] cuts a stream into records. The transport owns a pool of [Call]s per
// lane. It gives a Call the bytes of one record ([Server.Parse]), and from then on
// the Call knows its procedure, or that it will be refused. It is run
// ([Server.Run]) on a lane, or on a worker at once if its class is [Blocking]. If
// the outcome is [Wait] the same Call is run once more, from its beginning, on a
// worker; if it is [Grow], where it was, with more memory for the reply. When the
// outcome is [Done] the reply stands in Call.Reply and is sent; then the Call goes
// back to its pool with all that it borrowed.
//
// A procedure marked Once must not be run for a call that was sent twice. Its
// [Call.Results] are kept, and a duplicate gets them in a reply of its own
// ([Server.Replay]); package drc decides what is a duplicate.
//
// # Flavors
//
// Who calls is the business of a [Flavor], which may also change what arguments and
// results look like on the wire. Programs see the verified [Auth] and bare
// arguments, whatever the flavor.
//
// What AUTH_NONE and AUTH_SYS say proves nothing. The transport tells where a call comes
// from ([Origin]), and a process of this machine is held to what the kernel says of it.
//
// # Ownership
//
// A Call borrows the record's bytes and the reply's memory from the transport
// until its reply has been queued. Exactly one thread has the Call at a time.
// Programs are immutable and shared by all threads; what they need per thread
// they keep under Call.Place.
//
// # Errors
//
// Nothing that a peer sends panics or grows memory beyond the given limits: a
// record that cannot be understood at all ends the connection ([ErrNotCall] and
// its neighbours), everything else is answered with the denial or acceptance
// status of RFC 5531, section 9.
package rpc
