package iopolicy

import "fmt"

// Mode says what large READs and WRITEs leave behind in the page cache.
type Mode uint8

// The modes. What each of them is for is said where users choose it.
const (
	Buffered Mode = iota
	DontCache
	Direct
	Auto
)

var modes = [...]string{Buffered: "buffered", DontCache: "dontcache", Direct: "direct", Auto: "auto"}

func (m Mode) String() string {
	if int(m) < len(modes) {
		return modes[m]
	}
	return fmt.Sprintf("IOMode(%d)", uint8(m))
}

// ParseMode reads the word of a mode.
func ParseMode(word string) (m Mode, ok bool) {
	for m, name := range modes {
		if word == name {
			return Mode(m), true
		}
	}
	return 0, false
}

// Way is how the data of one request passes.
type Way uint8

const (
	Keeping  Way = iota // through the page cache, to stay there
	Dropping            // through the page cache, which drops it: RWF_DONTCACHE
	Past                // past the page cache: O_DIRECT
)

// Policy is which way data goes. It is set once and not changed.
type Policy struct {
	Mode  Mode
	least int       // bytes: what is smaller stays in the page cache, whatever the mode
	large streaming // for auto
}

// NewPolicy makes the policy of a mode for requests of at least least bytes. Memory bytes
// are all the memory there is, for auto.
func NewPolicy(m Mode, least int, memory uint64) Policy {
	return Policy{Mode: m, least: least, large: streamsOf(memory)}
}

// Of decides for a request of n bytes at off. t is what is known of the file's streams, nil
// for nothing. It neither waits nor allocates.
func (p *Policy) Of(t *Streams, d Direction, off uint64, n int) Way {
	if n < p.least {
		return Keeping
	}
	switch p.Mode {
	case Buffered:
	case DontCache:
		return Dropping
	case Direct:
		return Past
	case Auto:
		if t != nil && t[d].has(&p.large, off) {
			return Dropping
		}
	}
	return Keeping
}

// May reports whether a request of n bytes may go another way than all go.
func (p *Policy) May(n int) bool { return p.Mode != Buffered && n >= p.least }

// Follows reports whether requests of n bytes, for a file of size bytes, are to be told to
// Pass.
func (p *Policy) Follows(n int, size uint64) bool {
	return p.Mode == Auto && n >= p.least && size >= p.large.size
}

// Pass notes that n bytes at off have passed.
func (p *Policy) Pass(t *Streams, d Direction, off, n uint64) { t[d].pass(&p.large, off, n) }

// Window is how far from a stream's end a request of it may begin, in bytes.
func (p *Policy) Window() uint64 { return p.large.window }

// Big is from how many bytes on a file's streams are followed.
func (p *Policy) Big() uint64 { return p.large.size }
