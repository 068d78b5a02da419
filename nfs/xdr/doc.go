// Package xdr is the External Data Representation of RFC 4506 over memory that the caller owns. A
// [Decoder] reads from byte segments as they were received; an [Encoder] writes into a buffer of
// fixed size. Neither allocates on the usual path, and neither keeps what it was given after Reset.
// Both keep their first error, so that the caller checks once, at the end.
//
// The package uses the standard library only.
package xdr
