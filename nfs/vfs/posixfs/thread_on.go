//go:build checks

package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/checks"
)

// thread asserts that only the thread on which a View was made uses it. The credential in the View
// is that thread's. A call on another thread would run with somebody else's rights there.
type thread struct{ tid int }

func (t *thread) adopt() { t.tid = unix.Gettid() }

func (t *thread) check() {
	checks.Assert(t.tid == unix.Gettid(), "View used by a foreign thread")
}
