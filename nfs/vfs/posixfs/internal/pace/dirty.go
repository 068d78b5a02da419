package pace

import (
	"bytes"
	"os"
	"strconv"
	"time"
)

// The kernel makes writers sleep when too much memory is dirty: from half-way between
// nr_dirty_background_threshold and nr_dirty_threshold on. Lanes leave writing to the
// workers before.
const (
	// dirtyEvery is how many bytes a lane writes between two looks.
	dirtyEvery = 32 << 20
	// dirtyParts quarters of what may be dirty before writers sleep: there lanes stop.
	dirtyParts = 3
	// dirtyPause is for how many ns lanes stop.
	dirtyPause = int64(200 * time.Millisecond)
)

// dirtyPages reads from the text of /proc/vmstat how many pages are dirty or under
// writeback, and from how many on writers sleep.
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

// Soiled receives a value when lanes have written so much that memory is to be looked at.
func (p *Pace) Soiled() <-chan struct{} { return p.soiled }

// LookAtMemory begins a pause while much memory is dirty. Where /proc does not tell, the
// first write that sleeps begins one. It may block for memory.
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
