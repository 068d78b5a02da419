package bufring

import "fmt"

// ScrapSize is the bytes of a scrap.
const ScrapSize = PageSize

// scrapsKept is how many scraps wait in a pool to be used again.
const scrapsKept = 64

// Scraps makes small buffers on the Go heap, for what has to go on when all other memory
// is held. The kernel reads and writes them in system calls that do not outlive the call,
// and never for an operation of a ring. It belongs to the lane's thread. The zero value is
// ready.
type Scraps struct {
	free []*Buffer
	held int
}

// Take returns a buffer of ScrapSize bytes with one holder, the caller.
func (s *Scraps) Take() *Buffer {
	var b *Buffer
	if n := len(s.free); n > 0 {
		b, s.free = s.free[n-1], s.free[:n-1]
	} else {
		b = &Buffer{mem: make([]byte, ScrapSize), home: s, fixed: -1}
	}
	b.refs = 1
	s.held++
	return b
}

// Outstanding returns how many scraps are held.
func (s *Scraps) Outstanding() int { return s.held }

// Close forgets the scraps that wait. None may be held.
func (s *Scraps) Close() error {
	s.free = nil
	if s.held != 0 {
		return fmt.Errorf("bufring: %d scraps are still held", s.held)
	}
	return nil
}

func (s *Scraps) put(b *Buffer) {
	b.poison()
	if s.held--; len(s.free) < scrapsKept {
		s.free = append(s.free, b)
	}
}
