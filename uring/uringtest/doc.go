// Package uringtest is a scripted ring for tests of what drives one: no
// kernel and no clock; every completion is decided by the test, by a simulated
// socket, or by a seed.
//
// # How entries are answered
//
// Submit decodes each entry into an Op. It is offered, in this order, to
// Options.Script; to what the fake does by itself (no-ops, cancels, and
// operations on a Socket); and if none took it, it waits in Ops for the test
// to answer it with Complete, More, Deliver or Fail. Links are honoured: a
// later member of a chain is offered when the one before has succeeded.
//
// # Faults
//
// With Options.Faults set, a generator started from Options.Seed delays and
// reorders completions, shortens transfers, ends multishot operations early,
// has provided buffers run out, refuses submissions, returns from Wait without
// a reason, and overflows the completion queue. The order of the completions
// of one operation, or of one chain, is never changed, since the kernel keeps
// it too. The seed is logged by every test.
//
// # What is checked
//
// When the test ends, every operation must have had its final completion, and
// the completion must have been harvested. Two operations in flight with one
// user data, answers after the final one, and use after Close are errors.
//
// # Concurrency
//
// The methods of uring.Ring are called by one goroutine, as with a real ring;
// Op, Socket and Group methods by any. No lock is held while Script runs.
package uringtest
