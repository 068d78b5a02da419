package xdr

import "errors"

// The errors of a Decoder and an Encoder. This package never wraps them, so they can be compared
// with ==.
var (
	// ErrShort: the record ends before the value does, or a value does not fit into the
	// Encoder's memory.
	ErrShort = errors.New("xdr: too few bytes")
	// ErrTooLong: a length is above its bound in the protocol.
	ErrTooLong = errors.New("xdr: length above its bound")
	// ErrValue: the type does not have that number, such as a boolean of 2.
	ErrValue = errors.New("xdr: illegal value")
)
