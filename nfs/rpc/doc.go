// Package rpc is ONC RPC version 2 (RFC 5531) without any I/O: record marking, call and reply
// headers, credentials, the program table and the dispatch of one call. Bytes come in, bytes go
// out; package transport moves them.
//
// # Life of a call
//
// [Records] cuts a stream into records. The transport owns a pool of [Call]s per lane. It gives a
// Call the bytes of one record ([Server.Parse]). From then on the Call knows its procedure, or that
// it will be refused.
//
// The transport runs the call ([Server.Run]) on a lane, or at once on a worker if its class is
// [Blocking]. If the outcome is [Wait], the transport runs the same Call once more, from its
// beginning, on a worker. If the outcome is [Grow], it runs the Call again where it was, with more
// memory for the reply. When the outcome is [Done], the transport sends the reply that Call.Reply
// holds; then the Call goes back to its pool with all that it borrowed.
//
// A procedure marked Once must run once, even if the client sends the call twice. The transport
// keeps its [Call.Results], and a duplicate gets them in a reply of its own ([Server.Replay]);
// package drc decides which calls are duplicates.
//
// # Flavors
//
// A [Flavor] finds out who calls. It may also change what arguments and results look like on the
// wire. Programs see the verified [Auth] and bare arguments, whatever the flavor.
//
// What a caller says with AUTH_NONE or AUTH_SYS proves nothing. The transport tells where a call
// comes from ([Origin]), and the Server holds a process of this machine to what the kernel says of
// it.
//
// # Ownership
//
// A Call borrows the record's bytes and the reply's memory from the transport until its reply has
// been queued. Exactly one thread has the Call at a time. Programs are immutable, and all threads
// share them; what a program needs per thread it keeps under Call.Place.
//
// # Errors
//
// Nothing that a peer sends causes a panic or makes memory grow beyond the given limits. A record
// that cannot be understood at all ends the connection ([ErrNotCall] and its neighbours).
// Everything else is answered with the denial or acceptance status of RFC 5531, section 9.
package rpc
