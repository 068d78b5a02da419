// Package uringtest is a scripted ring for tests of code that drives a ring. It uses neither kernel
// nor clock: the test, a simulated socket or a seed decides every completion.
//
// # How entries are answered
//
// Submit decodes each entry into an Op. It offers the Op first to Options.Script, then to the
// fake's own handling of no-ops, cancels and operations on a Socket. An Op that none of these took
// waits in Ops until the test answers it with Complete, More, Deliver or Fail. The fake honours
// links: it offers a later member of a chain when the member before has succeeded.
//
// # Faults
//
// With Options.Faults set, a generator started from Options.Seed delays and reorders completions,
// shortens transfers, ends multishot operations early, lets provided buffers run out, refuses
// submissions, returns from Wait without a reason, and overflows the completion queue. It never
// changes the order of the completions of one operation or of one chain, since the kernel keeps
// that order, too. Every test logs its seed.
//
// # What is checked
//
// When the test ends, every operation must have had its final completion, and the code under test
// must have harvested it. Two operations in flight with one user data, an answer after the final
// one, and use after Close are errors.
//
// # Concurrency
//
// One goroutine calls the methods of uring.Ring, as with a real ring; any goroutine may call those
// of Op, Socket and Group. No lock is held while Script runs.
package uringtest
