//go:build checks

package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/checks"
)

// thread asserts that a View is used by the thread that it was made on: its credential is
// that thread's, and a call on another one would have somebody else's rights there.
type thread struct{ tid int }

func (t *thread) adopt() { t.tid = unix.Gettid() }

func (t *thread) check() {
	checks.Assert(t.tid == unix.Gettid(), "View used by a foreign thread")
}
