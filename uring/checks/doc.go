// Package checks holds assertions that exist only under the "checks" build
// tag: without it Enabled is a false constant, and the compiler removes them
// with everything that they guard.
//
// A check is for our own invariants, never for what a peer or the kernel sent.
// An argument that costs something to compute is guarded by the caller:
//
//	if checks.Enabled {
//		checks.Assert(tableConsistent(), "table holds a slot twice")
//	}
//
// The package imports nothing, so that everything may import it.
package checks
