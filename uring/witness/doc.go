// Package witness compares the constants, layouts and entry encodings of
// package uring with those of an independent binding, giouring of August 2023.
// It is a module of its own, so that nothing else ever links that one, and has
// tests only:
//
//	cd uring/witness && go test -ldflags=-checklinkname=0 ./...
//
// giouring reaches into package syscall, which the linker of Go 1.23 and later
// refuses without that flag. It knows Linux up to 6.5; what came later is held
// by the tests of uring against the running kernel. Where its encodings are
// wrong (addresses of slice headers, OPENAT2 submitted as OPENAT) the
// differing fields are named and left out.
package witness
