//go:build checks

package checks

// Enabled says that the program was built with the "checks" tag.
const Enabled = true

// Assert panics with what when ok is false.
func Assert(ok bool, what string) {
	if !ok {
		panic("checks: " + what)
	}
}

// Unreachable panics with what.
func Unreachable(what string) {
	panic("checks: unreachable: " + what)
}
