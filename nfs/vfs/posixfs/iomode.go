package posixfs

import (
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
)

// IOMode says which data large READs and WRITEs leave in the page cache. Requests of less than 128
// KiB go through the page cache in every mode; without it each of them would have to wait for the
// disc. COMMIT is an fsync in every mode.
type IOMode = iopolicy.Mode

// The modes.
const (
	// IOBuffered leaves all data in the page cache.
	IOBuffered = iopolicy.Buffered
	// IODontCache goes through the page cache, which then drops the data that it did not have
	// before (RWF_DONTCACHE: Linux 6.14; ext4 and XFS).
	IODontCache = iopolicy.DontCache
	// IODirect goes past the page cache (O_DIRECT if STATX_DIOALIGN gives an alignment: Linux
	// 6.1; ext4 and XFS). Pages that a WRITE covers only in part still go through the page
	// cache.
	IODirect = iopolicy.Direct
	// IOAuto is IODontCache for streams through files that are too large to keep, if the file
	// system can do that, and IOBuffered for everything else.
	IOAuto = iopolicy.Auto
)

// ParseIOMode returns the mode for the word buffered, dontcache, direct or auto.
func ParseIOMode(word string) (IOMode, error) {
	m, ok := iopolicy.ParseMode(word)
	if !ok {
		return 0, fmt.Errorf("posixfs: %q is no I/O mode: buffered, dontcache, direct or auto", word)
	}
	return m, nil
}

// bigRequest is the fewest bytes of a request that need not stay in the page cache. Readahead makes
// folios that are larger than a request. The kernel drops a folio when a part of it has been read.
// So the disc reads a tenth of a stream twice if the requests have 1 MiB, and half of it if they
// have 128 KiB. The smaller the requests are, the longer each one waits.
const bigRequest = 128 << 10
