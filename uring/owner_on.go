//go:build checks

package uring

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/checks"
)

// owner asserts that a ring is used by the thread that owns it.
type owner struct {
	tid int // zero when any thread may use the ring
}

func (o *owner) adopt(single bool) {
	if single {
		o.tid = unix.Gettid()
	}
}

func (o *owner) check() {
	checks.Assert(o.tid == 0 || o.tid == unix.Gettid(), "ring used by a foreign thread")
}
