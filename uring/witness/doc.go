// Package witness compares the constants, layouts and entry encodings of package uring with those
// of an independent binding, giouring of August 2023. It is a module of its own, so that no other
// code ever links giouring. It has tests only:
//
//	cd uring/witness && go test -ldflags=-checklinkname=0 ./...
//
// giouring reaches into package syscall, which the linker of Go 1.23 and later refuses without that
// flag. giouring knows Linux up to 6.5; the tests of uring hold younger constants against the
// running kernel. Where giouring's encodings are wrong (addresses of slice headers, OPENAT2
// submitted as OPENAT) the tests name the fields that differ and leave them out.
package witness
