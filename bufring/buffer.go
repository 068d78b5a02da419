package bufring

import "github.com/ringnfs/ringnfs/uring/checks"

// home is where a Buffer's memory returns to after its last Release.
type home interface{ put(b *Buffer) }

// Buffer is a counted piece of off-heap memory. The package comment has the rules. A Buffer must
// not be copied.
type Buffer struct {
	_     noCopy
	mem   []byte
	home  home
	refs  int32
	fixed int32 // index of the registered buffer that mem lies in, or -1
	index uint16
	// next is how much of a provided buffer the kernel has filled so far.
	next int
	// account is what a slab is charged to, nil for none.
	account *Account
	// kernel is true while the kernel may still write to a provided buffer.
	kernel bool
}

// noCopy makes vet complain about copies.
type noCopy struct{}

func (*noCopy) Lock()   {}
func (*noCopy) Unlock() {}

// Bytes returns the whole memory of b. The result is valid as long as the caller holds b.
func (b *Buffer) Bytes() []byte { return b.mem }

// Fixed returns the index of the registered buffer that contains b's memory, for
// operations that take one, and whether there is one.
func (b *Buffer) Fixed() (index int, ok bool) { return int(b.fixed), b.fixed >= 0 }

// Clone adds a holder and returns b.
func (b *Buffer) Clone() *Buffer {
	if checks.Enabled {
		checks.Assert(b.refs > 0, "bufring: clone of a released buffer")
	}
	b.refs++
	return b
}

// Provided reports whether b is receive memory that the kernel may still fill.
func (b *Buffer) Provided() bool {
	_, ok := b.home.(*Group)
	return ok
}

// Sole reports whether the caller is the only holder.
func (b *Buffer) Sole() bool { return b.refs == 1 }

// Release ends the use of one holder. The last Release gives the memory back.
func (b *Buffer) Release() {
	b.refs--
	if b.refs > 0 {
		return
	}
	if b.refs < 0 {
		panic("bufring: buffer released more often than it was held")
	}
	b.home.put(b)
}

// poisonByte overwrites released memory when checks are on.
const poisonByte = 0xdb

func (b *Buffer) poison() {
	if checks.Enabled {
		for i := range b.mem {
			b.mem[i] = poisonByte
		}
	}
}

// Segment is a view of bytes and the Buffer that keeps them valid. The holder of
// a Segment holds one count of Owner.
type Segment struct {
	Data  []byte
	Owner *Buffer
}

// Release ends the Segment's hold on its buffer.
func (s *Segment) Release() {
	s.Owner.Release()
	*s = Segment{}
}
