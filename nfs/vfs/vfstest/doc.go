// Package vfstest is the conformance suite for file systems. Every back end runs it from a test of
// its own,
//
//	func TestConformance(t *testing.T) {
//		vfstest.Run(t, func(t *testing.T) *vfstest.Env { ... })
//	}
//
// and says in the [Env] what it has. The suite skips visibly what the back end does not have.
//
// # Two ways
//
// Each test runs twice. As "worker" its View may wait. As "lane" it first tries every operation on
// a View of another thread, which may not wait. That View must either do all that it should, or
// return Again without any effect and without writing to a result (but READ's buffer). After Again
// the operation runs on the worker, as in the server. Operations that only look then run on the
// worker as well, and must return the same.
//
// # What is not asked
//
// Where POSIX systems differ, or the interface leaves a choice, the suite accepts each sensible
// answer, but never success without the effect.
//
// # Settings
//
// VFSTEST_ENTRIES is the size of the large directory, by default 20,000, and less on real discs.
// Randomised tests print their seed when they fail; -rapid.seed repeats one.
package vfstest
