package posixfs

import (
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/pace"
)

// WritePath says which threads make unstable writes. Workers make all stable ones.
type WritePath = pace.Path

// The ways to write.
const (
	// WriteAuto lets lanes write to memory (tmpfs, ramfs). To a local disc on which writing was
	// quick at the start, lanes write as with WriteInline.
	WriteAuto = pace.Auto
	// WriteWorker leaves all writing to the workers.
	WriteWorker = pace.Worker
	// WriteInline lets lanes also write to the page cache of discs, as long as that is quick.
	// If it is not quick at the start, FS.Features says why. WriteInline is cheaper by far. But
	// a lane is held up when the file system makes its writers wait: while it is frozen
	// (fsfreeze(8), snapshots), or its journal is full.
	WriteInline = pace.Inline
)

// ErrWritePath is returned for a word that is no way to write.
var ErrWritePath = errors.New("posixfs: no such way to write")

// ParseWritePath returns the way to write for the word auto, worker or inline.
func ParseWritePath(word string) (WritePath, error) {
	p, ok := pace.ParsePath(word)
	if !ok {
		return 0, fmt.Errorf("%w: %q", ErrWritePath, word)
	}
	return p, nil
}

// watchWrites leaves writing to the workers when a write holds a lane up. It reports this to the
// log, once for each write.
func (fs *FS) watchWrites(now int64) {
	for _, v := range *fs.views.Load() {
		since := v.data.Writer().Since()
		if since == 0 || now-since < pace.StuckWrite {
			continue
		}
		fs.data.Pace.Slow(since, now)
		if v.data.Writer().Tell(since) {
			fs.running.Go(func() { // a log may be slow, and ticks must go on
				fs.log.Warn(
					"posixfs: a lane is held up by a write; is the file system frozen, or the disc stuck?",
					"dir",
					fs.dir,
				)
			})
		}
	}
}
