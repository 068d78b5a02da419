// Package v4 serves NFS version 4: minor versions 0 (RFC 7530), 1 (RFC 8881) and 2 (RFC 7862).
//
// # A COMPOUND
//
// [New] returns the version as the table that package rpc serves: NULL and COMPOUND. A COMPOUND
// is a list of operations, run one after the other until one fails (compound.go). Each operation
// is a row of one table (ops.go): its name, the minor versions that have it, where it may run,
// how many bytes its result can have, and the method that runs it, in a file of its own,
// op_NAME.go.
//
// A compound begins on a lane. When operation k cannot be answered there, because it may sleep,
// or lacks memory for its result, the compound is suspended before operation k: the results so
// far stay (rpc.Call.Keep), and a worker goes on at k. Nothing runs twice. What has to outlive
// the lane's run is in a compound value, which is copied aside when the compound is suspended.
//
// # Names
//
// All exports are below one pseudo file system, which shows a client only what leads to exports
// that serve it (pseudo.go). The current and the saved file handle are positions: a node of the
// pseudo file system, or an export and a handle of its back end.
//
// # Attributes
//
// attr.go has the table of all attributes that the server knows: since which minor version, what
// must be asked for to know them, and how each is written or read.
//
// # Callbacks
//
// [Callbacks] calls clients of minor versions 1 and 2 back (callback.go): it tells those who wait
// that a lock is free (CB_NOTIFY_LOCK), asks for slots back (CB_RECALL_SLOT), and finds out whether
// a connection for callbacks works (CB_NULL). A callback is sent by Config.Ask and goes on when
// that answers; nobody waits for it. Its slot, its connection and what the client has to be told of
// both are package state's business.
//
// # Threads
//
// Methods of a compound run on the thread of the place that runs the call, and use that place's
// scratch (work). They may sleep only on a worker.
package v4
