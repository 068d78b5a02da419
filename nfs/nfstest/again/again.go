// Package again tells tests that all of them have run once: the run under the race detector, with
// the assertions, is the second run. Long tests do less then.
package again

import (
	"os"
	"testing"
)

// Now reports whether this is the second run. .ci/test says so by RINGNFS_AGAIN.
func Now() bool { return os.Getenv("RINGNFS_AGAIN") != "" }

// Skip skips a test that would show nothing new in the second run.
func Skip(t testing.TB) {
	t.Helper()
	if Now() {
		t.Skip("RINGNFS_AGAIN is set: it has run without the race detector and assertions")
	}
}

// Long skips a test that takes many seconds when a quick look is wanted (go test -short), as before
// a commit.
func Long(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("takes long: run it without -short")
	}
}
