package xdr

import "errors"

// The errors of a Decoder and an Encoder. They are compared with ==, for none of
// them is ever wrapped by this package.
var (
	// ErrShort: the record ends before the value does, or a value does not fit
	// into the memory to encode to.
	ErrShort = errors.New("xdr: too few bytes")
	// ErrTooLong: a length is above its bound in the protocol.
	ErrTooLong = errors.New("xdr: length above its bound")
	// ErrValue: a number that its type does not have, such as a boolean of 2.
	ErrValue = errors.New("xdr: illegal value")
)
