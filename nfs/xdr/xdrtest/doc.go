// Package xdrtest checks encoders and decoders of whole messages, generated or written by hand. An
// encoded message must come back; every proper prefix must be refused; segments must read like one
// piece; noise must neither cause a panic nor allocate much more than its own size. It is for
// tests.
package xdrtest
