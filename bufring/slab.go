package bufring

import (
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/uring"
)

// Class is a size of slab.
type Class uint8

// The classes of a pool, from small to large.
const (
	Small  Class = iota // one metadata reply of a call that ran on a worker
	Medium              // a batch of replies, or one reply of up to 64 KiB of data
	Large               // one reply of the largest READ
	numClasses
)

// Slab sizes in bytes. The size of a Large slab is the pool's own, see NewSlabs.
const (
	SmallSize  = 4 << 10
	MediumSize = 64<<10 + 4<<10
)

// extentSize is how much of the arena one class takes at a time.
const extentSize = 4 << 20

// Registrar registers memory as fixed buffers of a ring, so that the kernel need not look up its
// pages for each operation. A small adapter gives *uring.Ring this method. A nil Registrar means
// that nothing is registered.
type Registrar interface {
	RegisterBuffer(index int, mem []byte) error
}

// Slabs is a pool of send buffers of one lane, cut from one arena. It belongs to
// the lane's thread.
type Slabs struct {
	arena   []byte
	used    int // bytes of the arena that have been given to a class
	extents int
	reg     Registrar
	regErr  error
	pools   [numClasses]slabPool
	// Returned, if not nil, is called after a slab has come back. It must not release buffers.
	Returned func(Class)
}

type slabPool struct {
	owner *Slabs
	class Class
	size  int
	free  []*Buffer
	total int
	max   int // buffers of this class at most
}

// NewSlabs makes a pool over an arena of arenaBytes whose Large slabs hold largeMax bytes. Small
// slabs get an eighth of the arena, Medium ones a quarter, Large ones the rest; each class gets at
// least one extent.
func NewSlabs(arenaBytes, largeMax int, reg Registrar) (*Slabs, error) {
	largeMax = (largeMax + PageSize - 1) &^ (PageSize - 1)
	if largeMax < MediumSize {
		largeMax = MediumSize
	}
	least := 2*extentSize + max(extentSize, largeMax)
	if arenaBytes < least {
		return nil, fmt.Errorf(
			"bufring: an arena of %d bytes cannot hold the least number of send slabs: give it %d",
			arenaBytes,
			least,
		)
	}
	m, err := uring.Map(arenaBytes)
	if err != nil {
		return nil, err
	}
	s := &Slabs{arena: m, reg: reg}
	sizes := [numClasses]int{SmallSize, MediumSize, largeMax}
	small := max(extentSize, len(m)/8)
	medium := max(extentSize, len(m)/4)
	shares := [numClasses]int{small, medium, len(m) - small - medium}
	if shares[Large] < largeMax {
		return nil, errors.Join(
			fmt.Errorf(
				"bufring: an arena of %d bytes has no room for one send slab of %d: make it larger by %d",
				arenaBytes,
				largeMax,
				largeMax-shares[Large],
			),
			uring.Unmap(m),
		)
	}
	for c := range s.pools {
		s.pools[c] = slabPool{owner: s, class: Class(c), size: sizes[c], max: shares[c] / sizes[c]}
	}
	return s, nil
}

// Take returns a slab of class c, whose one holder is the caller. It returns nil when the class is
// exhausted.
func (s *Slabs) Take(c Class) *Buffer {
	p := &s.pools[c]
	if len(p.free) == 0 && !p.grow() {
		return nil
	}
	b := p.free[len(p.free)-1]
	p.free = p.free[:len(p.free)-1]
	b.refs = 1
	return b
}

// TakeSpare is Take for a use that can wait or do without. It leaves a quarter of the class, at
// least one slab, to those who call Take. So a holder of such a slab may wait for further memory
// without keeping others from going on.
func (s *Slabs) TakeSpare(c Class) *Buffer {
	if !s.HasSpare(c) {
		return nil
	}
	return s.Take(c)
}

// HasSpare reports whether TakeSpare would return a slab of class c.
func (s *Slabs) HasSpare(c Class) bool { return s.Free(c) > max(1, s.pools[c].max/4) }

// ClassFor returns the smallest class whose slabs hold n bytes, and false when
// none does.
func (s *Slabs) ClassFor(n int) (Class, bool) {
	for c := range s.pools {
		if n <= s.pools[c].size {
			return Class(c), true
		}
	}
	return 0, false
}

// Size returns the bytes of a slab of class c.
func (s *Slabs) Size(c Class) int { return s.pools[c].size }

// Share returns how many bytes the slabs of class c have together at most.
func (s *Slabs) Share(c Class) int { return s.pools[c].max * s.pools[c].size }

// Outstanding returns how many slabs of all classes are held.
func (s *Slabs) Outstanding() int {
	n := 0
	for c := range s.pools {
		n += s.pools[c].total - len(s.pools[c].free)
	}
	return n
}

// Free returns how many slabs of class c can still be taken.
func (s *Slabs) Free(c Class) int {
	p := &s.pools[c]
	return len(p.free) + p.max - p.total
}

// RegisterError returns why the memory could not be registered with the ring, or nil. The slabs
// work also unregistered.
func (s *Slabs) RegisterError() error { return s.regErr }

// Close unmaps the arena. Neither the program nor the kernel may hold a slab.
func (s *Slabs) Close() error {
	if n := s.Outstanding(); n != 0 {
		return fmt.Errorf("bufring: %d send slabs are still held", n)
	}
	m := s.arena
	s.arena = nil
	return uring.Unmap(m)
}

// grow cuts one more extent of the arena into slabs.
func (p *slabPool) grow() bool {
	s := p.owner
	n := min(max(1, extentSize/p.size), p.max-p.total)
	if left := (len(s.arena) - s.used) / p.size; n > left {
		n = left
	}
	if n <= 0 {
		return false
	}
	m := s.arena[s.used : s.used+n*p.size]
	s.used += len(m)
	fixed := int32(-1)
	if s.reg != nil && s.regErr == nil {
		if err := s.reg.RegisterBuffer(s.extents, m); err != nil {
			s.regErr = err
		} else {
			fixed = int32(s.extents)
			s.extents++
		}
	}
	for i := range n {
		p.free = append(
			p.free,
			&Buffer{mem: m[i*p.size : (i+1)*p.size : (i+1)*p.size], home: p, fixed: fixed},
		)
	}
	p.total += n
	return true
}

func (p *slabPool) put(b *Buffer) {
	b.poison()
	b.account.charge(p.class, -1)
	b.account = nil
	p.free = append(p.free, b)
	if p.owner.Returned != nil {
		p.owner.Returned(p.class)
	}
}
