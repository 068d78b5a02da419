package iopolicy

import "fmt"

// Mode says which data large READs and WRITEs leave in the page cache.
type Mode uint8

// The modes. The place where users choose one says what it is for.
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

// Way is the way that the data of one request goes.
type Way uint8

const (
	Keeping  Way = iota // through the page cache, to stay there
	Dropping            // through the page cache, which drops it: RWF_DONTCACHE
	Past                // past the page cache: O_DIRECT
)

// Policy decides which way data goes. It does not change.
type Policy struct {
	Mode  Mode
	least int       // bytes: data of a smaller request stays in the page cache in all modes
	large streaming // only for Auto
}

// NewPolicy makes the policy of a mode for requests of at least least bytes. memory is how many
// bytes of memory there are in all; Auto needs it.
func NewPolicy(m Mode, least int, memory uint64) Policy {
	return Policy{Mode: m, least: least, large: streamsOf(memory)}
}

// Of decides for a request of n bytes at off. t is what is known of the file's streams, nil for
// nothing. Of neither waits nor allocates.
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

// May reports whether a request of n bytes may go another way than Keeping.
func (p *Policy) May(n int) bool { return p.Mode != Buffered && n >= p.least }

// Follows reports whether the caller should tell Pass of requests of n bytes to a file of size
// bytes.
func (p *Policy) Follows(n int, size uint64) bool {
	return p.Mode == Auto && n >= p.least && size >= p.large.size
}

// Pass notes that n bytes at off have passed.
func (p *Policy) Pass(t *Streams, d Direction, off, n uint64) { t[d].pass(&p.large, off, n) }

// Window is how far from a stream's end a request of the stream may begin, in bytes.
func (p *Policy) Window() uint64 { return p.large.window }

// Big is the smallest size in bytes of a file whose streams are followed.
func (p *Policy) Big() uint64 { return p.large.size }
