package rpc

import "errors"

// The errors that end a connection: the peer has sent something that is no record, or to which no
// reply could be addressed.
var (
	// ErrTooBig: a record announces more bytes than the limit.
	ErrTooBig = errors.New("rpc: record exceeds the size limit")
	// ErrFragments: a record has more empty fragments than the limit.
	ErrFragments = errors.New("rpc: record has too many empty fragments")
	// ErrHeader: the record ends within the call header.
	ErrHeader = errors.New("rpc: truncated call header")
	// ErrNotCall: the record is not a call.
	ErrNotCall = errors.New("rpc: message is not a call")
)

// The faults of this server that are passed to [Server.OnFault]. Each is answered with SYSTEM_ERR.
var (
	// ErrOverflow: a procedure encoded more than it had made room for.
	ErrOverflow = errors.New("rpc: results exceed the reply's memory")
	// ErrNoProgress: a procedure asked to wait on a thread that may wait, or for no more memory
	// than it had.
	ErrNoProgress = errors.New("rpc: procedure asks for what it has")
	// ErrOutcome: a procedure returned a value that is no Outcome.
	ErrOutcome = errors.New("rpc: procedure returned an unknown outcome")
)
