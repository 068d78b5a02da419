package pace

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// The kernel makes writers sleep when too much memory is dirty: from half-way between
// nr_dirty_background_threshold and nr_dirty_threshold on. Lanes stop writing earlier, and leave it
// to the workers.
const (
	// dirtyEvery is how many bytes a lane writes before it has memory looked at again.
	dirtyEvery = 32 << 20
	// dirtyParts is at how many quarters of the limit, from which on writers sleep, lanes stop.
	dirtyParts = 3
	// dirtyPause is how many ns lanes stop for.
	dirtyPause = int64(200 * time.Millisecond)
)

// dirtyPages reads the text of /proc/vmstat. dirty is how many pages are dirty or under writeback.
// limit is the number from which on writers sleep.
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

// Soiled receives a value when lanes have written so much that somebody should call LookAtMemory.
func (p *Pace) Soiled() <-chan struct{} { return p.soiled }

// LookAtMemory begins a pause if much memory is dirty. If /proc does not tell, the first write that
// sleeps begins a pause. LookAtMemory may block for memory.
func (p *Pace) LookAtMemory() {
	text, err := os.ReadFile("/proc/vmstat")
	if err != nil {
		return
	}
	if dirty, limit, ok := dirtyPages(text); ok {
		p.dirtied(dirty, limit)
	}
}

func (p *Pace) dirtied(dirty, limit uint64) {
	if dirty < limit/4*dirtyParts {
		return
	}
	until := p.Clock() + dirtyPause
	for {
		was := p.until.Load()
		if was >= until || p.until.CompareAndSwap(was, until) {
			return
		}
	}
}
