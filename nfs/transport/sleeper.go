package transport

import "github.com/ringnfs/ringnfs/uring/futex"

// sleeper is where one worker's thread waits.
type sleeper struct {
	futex.Sleeper
	next *sleeper // on the list of those that rest, or in a chain to wake
}

// wake wakes all sleepers of a chain, which may be empty. It does not block.
func (s *sleeper) wake() {
	for s != nil {
		next := s.next
		s.next = nil
		s.Wake()
		s = next
	}
}
