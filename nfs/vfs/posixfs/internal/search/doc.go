// Package search finds objects without open_by_handle_at(2), which needs CAP_DAC_READ_SEARCH.
//
// A [Finder] remembers the places of the objects whose handles went out. It checks that an object
// is still at its place, and walks the whole tree if it is not. So handles live as long as with the
// privilege. But an object that was moved, or that is met for the first time after a restart, costs
// a walk.
//
// Peers with dead handles must not keep the disc and the workers busy. Only one walk runs at a
// time, few calls wait for it, and in the long run walks take at most a fourth of the time. A call
// that arrives too early gets EAGAIN, and the next walk also searches for its handle.
package search
