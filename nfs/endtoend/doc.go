// Package endtoend holds the tests that need a running server of package nfs. They are the server's
// peers, by sockets, and know it only by its exported names and its replies.
//
// Tests of what package nfs decides without serving stand beside package nfs; tests with programs
// of others are in nfs/interop.
package endtoend
