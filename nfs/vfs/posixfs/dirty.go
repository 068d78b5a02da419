package posixfs

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// The kernel makes writers sleep when too much memory is dirty: from half way between
// nr_dirty_background_threshold and nr_dirty_threshold on. Lanes leave writing to the
// workers before.
const (
	// dirtyEvery is how much a lane writes between two looks.
	dirtyEvery = 32 << 20
	// dirtyParts of 4 of what may be dirty before writers sleep is where lanes stop.
	dirtyParts = 3
	// dirtyPause is how long.
	dirtyPause = int64(200 * time.Millisecond)
)

// dirtyPages reads how many pages are not on disc, dirty or on the way there, and from
// how many on writers sleep, from the text of /proc/vmstat.
func dirtyPages(vmstat []byte) (dirty, limit uint64, ok bool) {
	var away, soft, hard uint64
	found := 0
	for line := range bytes.Lines(vmstat) {
		name, value, _ := bytes.Cut(bytes.TrimSpace(line), []byte(" "))
		var to *uint64
		switch string(name) {
		case "nr_dirty":
			to = &dirty
		case "nr_writeback":
			to = &away
		case "nr_dirty_background_threshold":
			to = &soft
		case "nr_dirty_threshold":
			to = &hard
		default:
			continue
		}
		n, err := strconv.ParseUint(string(value), 10, 64)
		if err != nil {
			return 0, 0, false
		}
		*to = n
		found++
	}
	return dirty + away, (soft + hard) / 2, found == 4
}

// count counts what a lane has written, and has memory looked at from time to time.
func (v *View) count(n int) {
	if v.written += n; v.written >= dirtyEvery {
		v.written = 0
		select {
		case v.fs.soiled <- struct{}{}:
		default: // it is about to
		}
	}
}

// watchDirty sends lanes away while much memory is dirty. Where /proc does not
// tell, the first write that sleeps does.
func (fs *FS) watchDirty() {
	text, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return
	}
	if dirty, limit, ok := dirtyPages(text); ok {
		fs.writes.dirtied(dirty, limit)
	}
}

func (l *laneWrites) dirtied(dirty, limit uint64) {
	if dirty < limit/4*dirtyParts {
		return
	}
	until := l.clock() + dirtyPause
	for {
		was := l.until.Load()
		if was >= until || l.until.CompareAndSwap(was, until) {
			return
		}
	}
}
