// Package endtoend holds the tests that need a running server of package nfs: they are its
// peers, by sockets, and know it by what its exported names and its replies say.
//
// Tests of what package nfs decides without serving stand beside it; those with programs of
// others are in nfs/interop.
package endtoend
