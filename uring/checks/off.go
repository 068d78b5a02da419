//go:build !checks

package checks

// Enabled says that the program was built with the "checks" tag.
const Enabled = false

// Assert panics with what when ok is false, under the "checks" tag only.
func Assert(ok bool, what string) {}

// Unreachable panics with what, under the "checks" tag only.
func Unreachable(what string) {}
