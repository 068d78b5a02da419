// Package search finds objects without open_by_handle_at, which needs CAP_DAC_READ_SEARCH.
//
// A [Finder] remembers where the objects were whose handles went out, checks that they are
// still there, and walks the whole tree when they are not: handles live as long
// as with the privilege, but an object that was moved, or met the first time after
// a restart, costs a walk.
//
// Peers with dead handles must not keep the disc and the workers busy. There is one
// walk at a time, few calls wait for it, and in the long run walks take a fourth
// of the time at most. Who comes too early is told to come back, and the next walk
// looks for what he wants, too.
package search
