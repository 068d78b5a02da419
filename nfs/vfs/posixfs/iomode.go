package posixfs

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
)

// IOMode says what large READs and WRITEs leave behind in the page cache. Requests
// of less than 128 KiB go through it in every mode: without it each of them would
// wait for the disc by itself. Whatever the mode, COMMIT is an fsync.
type IOMode = iopolicy.Mode

// The modes.
const (
	// IOBuffered leaves everything in the page cache.
	IOBuffered = iopolicy.Buffered
	// IODontCache goes through the page cache and lets it drop what was not in it
	// before (RWF_DONTCACHE: Linux 6.14; ext4 and XFS).
	IODontCache = iopolicy.DontCache
	// IODirect goes past the page cache (O_DIRECT where STATX_DIOALIGN gives an
	// alignment: Linux 6.1; ext4 and XFS). Pages that a WRITE covers in part only
	// still go through it.
	IODirect = iopolicy.Direct
	// IOAuto is IOBuffered, and IODontCache for streams through files that are too
	// large to keep, where the file system can.
	IOAuto = iopolicy.Auto
)

// ParseIOMode reads buffered, dontcache, direct or auto.
func ParseIOMode(word string) (IOMode, error) {
	m, ok := iopolicy.ParseMode(word)
	if !ok {
		return 0, fmt.Errorf("posixfs: %q is no I/O mode: buffered, dontcache, direct or auto", word)
	}
	return m, nil
}

// bigRequest is the fewest bytes of a request that need not stay in the page cache.
// Readahead makes folios of more than a request, which are dropped when a part of
// them has been read: of a stream in pieces of 1 MiB the disc reads a tenth twice, of
// one in pieces of 128 KiB half, and the smaller they are the longer each one waits.
const bigRequest = 128 << 10
