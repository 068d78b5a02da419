package posixfs

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/search"
)

// WalkDescriptors is how many descriptors an FS has open at most, apart from those of Config.FDMax,
// while it searches for the object of a handle without CAP_DAC_READ_SEARCH. One such search runs at
// a time.
const WalkDescriptors = search.Descriptors

// walked is the FS as a search.Tree.
type walked struct{ *FS }

// Top implements search.Tree.
func (w walked) Top() int { return w.root }

// Seen implements search.Tree.
func (w walked) Seen(dir int, name string) (int, unix.Errno) { return w.openSeen(dir, name) }

// Plenty implements search.Tree.
func (w walked) Plenty(open func() (int, unix.Errno)) (int, unix.Errno) { return w.plenty(open) }

// note remembers that h was found as name in parent, if the FS needs that to find the object again.
func (fs *FS) note(h, parent *vfs.Handle, name []byte) {
	if !fs.is.byHandle {
		fs.finder.Note(h, parent, name)
	}
}
