// Package vfstest is the conformance suite for file systems: every back end
// runs it from a test of its own,
//
//	func TestConformance(t *testing.T) {
//		vfstest.Run(t, func(t *testing.T) *vfstest.Env { ... })
//	}
//
// and says in the [Env] what it has. What it does not have is skipped visibly.
//
// # Two ways
//
// Each test runs twice. As "worker" its View may wait. As "lane" every operation
// is first tried on a View of another thread that may not: either it does all
// that it should, or it returns Again and has had no effect and has written to
// no result (but READ's buffer), and then it is run on the worker, as in the server. Operations
// that only look are then run on the worker as well, and must say the same.
//
// # What is not asked
//
// Where POSIX systems differ, or the interface leaves it open, the suite accepts
// each sensible answer, but never success without the effect.
//
// # Settings
//
// VFSTEST_ENTRIES is the size of the large directory, 20,000 by default and less on
// real discs.
// Randomised tests print their seed when they fail; -rapid.seed repeats one.
package vfstest
