// Package xdrtest checks encoders and decoders of whole messages, generated or
// written by hand: what was encoded comes back, every proper prefix is refused,
// segments read like one piece, and noise neither panics nor allocates more than
// the noise is worth. It is for tests.
package xdrtest
