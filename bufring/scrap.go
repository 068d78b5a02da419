package bufring

import "fmt"

// ScrapSize is the size of a scrap in bytes.
const ScrapSize = PageSize

// scrapsKept is how many scraps wait in a pool to be used again.
const scrapsKept = 64

// Scraps makes small buffers on the Go heap, for work that must go on when all other memory is
// held. The kernel reads and writes a scrap only in system calls that have done with it when they
// return, never in an operation of a ring. Scraps belongs to the lane's thread. The zero value is
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

// Close forgets the scraps that wait to be used again. Nobody may hold one.
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
