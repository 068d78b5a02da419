// Package checks holds assertions that exist only under the "checks" build tag. Without the tag
// Enabled is a false constant, and the compiler removes the assertions with everything that Enabled
// guards.
//
// A check is for our own invariants, never for what a peer or the kernel sent. The caller guards an
// argument that costs something to compute:
//
//	if checks.Enabled {
//		checks.Assert(tableConsistent(), "table holds a slot twice")
//	}
//
// The package imports nothing, so that every package may import it.
package checks
