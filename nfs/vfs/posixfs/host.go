package posixfs

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// host is a View as the rooms see it that need something of its thread (iopath.Owner,
// verdict.Actor).
type host View

// OpenMore opens the file that the READ, WRITE or COMMIT of the View is about.
func (h *host) OpenMore(to *atomic.Int32, flags int) (int, vfs.Status) {
	v := (*View)(h)
	return v.openIO(v.use.At(useMain), to, flags)
}

// ActFor makes the thread act for c.
func (h *host) ActFor(c *vfs.Cred) bool { return (*View)(h).as(c) }
