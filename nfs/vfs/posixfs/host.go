package posixfs

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// host is a View for the rooms that need something of its thread: it implements iopath.Owner and
// verdict.Actor.
type host View

// OpenMore opens the file of the View's present READ, WRITE or COMMIT.
func (h *host) OpenMore(to *atomic.Int32, flags int) (int, vfs.Status) {
	v := (*View)(h)
	return v.openIO(v.use.At(useMain), to, flags)
}

// ActFor makes the thread act for c. If it returns false the thread must not go on.
func (h *host) ActFor(c *vfs.Cred) bool { return (*View)(h).as(c) }
