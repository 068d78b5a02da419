package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/search"
)

// WalkDescriptors is how many descriptors an FS has open at most, apart from those
// of Config.FDMax, while it looks for the object of a handle without
// CAP_DAC_READ_SEARCH. It does so once at a time.
const WalkDescriptors = search.Descriptors

// walked is the FS as package search sees it.
type walked struct{ *FS }

func (w walked) Top() int { return w.root }

func (w walked) Seen(dir int, name string) (int, unix.Errno) { return w.openSeen(dir, name) }

func (w walked) Plenty(open func() (int, unix.Errno)) (int, unix.Errno) { return w.plenty(open) }

// note remembers that h was found as name in parent.
func (fs *FS) note(h, parent *vfs.Handle, name []byte) {
	if !fs.is.byHandle {
		fs.finder.Note(h, parent, name)
	}
}
