// Package xdr is the External Data Representation of RFC 4506 over memory that
// somebody else owns: a [Decoder] reads from byte segments as they were
// received, an [Encoder] writes into a buffer of fixed size. Neither allocates
// on the usual path, neither keeps what it was given after Reset, and both keep
// their first error so that it is checked once, at the end.
//
// It uses the standard library only.
package xdr
