package bufring

import (
	"fmt"

	"github.com/ringnfs/ringnfs/uring"
	"github.com/ringnfs/ringnfs/uring/checks"
)

// Provider is a provided-buffer ring, from which the kernel takes receive buffers. *uring.BufRing
// is one; tests use a heap-backed one.
type Provider interface {
	// Add queues a buffer under an id. The kernel sees it after Advance.
	Add(mem []byte, id uring.BufferID)
	// Advance makes all queued buffers visible to the kernel.
	Advance()
}

// GroupConfig says how a Group is laid out.
type GroupConfig struct {
	// Count is the number of buffers, a power of two up to 32768.
	Count int
	// Size is the bytes of each, a multiple of PageSize.
	Size int
	// Incremental is true when the ring was registered with IOU_PBUF_RING_INC
	// (Linux 6.12): one buffer then serves many receives, end to end.
	Incremental bool
	// Window is how many buffers the kernel has at a time, 0 for all. The Group keeps the
	// others back and hands out the one that was released last first. So a server that keeps up
	// goes round in a few buffers, which stay in the processor's cache.
	Window int
	// Floor is how many buffers Publish never gives to the kernel. They are for Take, by which
	// the owner decides who gets the last ones.
	Floor int
}

// PageSize is what sizes are multiples of, in bytes.
const PageSize = 4096

// Group is the receive memory of one lane. The kernel fills its buffers, and a buffer returns to
// the Group when its last holder has released it. A Group belongs to the lane's thread.
type Group struct {
	provider Provider
	cfg      GroupConfig
	arena    []byte
	bufs     []Buffer
	// order is which buffer follows which in the kernel's ring. A bundled receive (Linux 6.10)
	// names only its first buffer.
	order  []uint16
	at     []uint16 // position of each buffer in order
	tail   uint16
	free   int // buffers that the kernel may fill
	queued int // of these, not yet published
	// spare are the buffers that neither the kernel nor a holder has.
	spare   []uint16
	closing bool
	// Returned, if not nil, is called after a buffer has come back. It must not release
	// buffers.
	Returned func()
}

// NewGroup maps the memory. The Group serves receives only after Fill.
func NewGroup(cfg GroupConfig) (*Group, error) {
	if cfg.Count <= 0 || cfg.Count > 1<<15 || cfg.Count&(cfg.Count-1) != 0 {
		return nil, fmt.Errorf(
			"bufring: %d receive buffers: the number must be a power of two up to 32768",
			cfg.Count,
		)
	}
	if cfg.Size <= 0 || cfg.Size%PageSize != 0 {
		return nil, fmt.Errorf(
			"bufring: receive buffers of %d bytes: the size must be a multiple of %d",
			cfg.Size,
			PageSize,
		)
	}
	if cfg.Window <= 0 || cfg.Window > cfg.Count {
		cfg.Window = cfg.Count
	}
	if cfg.Floor < 0 || cfg.Floor >= cfg.Count {
		return nil, fmt.Errorf(
			"bufring: %d of %d receive buffers kept back: the kernel needs one at least",
			cfg.Floor,
			cfg.Count,
		)
	}
	m, err := uring.Map(cfg.Count * cfg.Size)
	if err != nil {
		return nil, err
	}
	g := &Group{
		cfg:   cfg,
		arena: m,
		bufs:  make([]Buffer, cfg.Count),
		order: make([]uint16, cfg.Count),
		at:    make([]uint16, cfg.Count),
		spare: make([]uint16, 0, cfg.Count),
	}
	for i := range g.bufs {
		b := &g.bufs[i]
		b.mem = m[i*cfg.Size : (i+1)*cfg.Size : (i+1)*cfg.Size]
		b.home = g
		b.index = uint16(i)
		b.fixed = -1
	}
	return g, nil
}

// Fill gives the buffers to p, the ring that the kernel takes them from. p must have room for all.
func (g *Group) Fill(p Provider) {
	g.provider = p
	for i := range g.bufs {
		g.spare = append(g.spare, uint16(len(g.bufs)-1-i))
	}
	g.Publish()
}

// Consume takes over the bytes of one receive completion: n bytes that begin in buffer id. more is
// the completion's IORING_CQE_F_BUF_MORE.
//
// The owner must call Consume in the order in which the kernel posted the completions, over all
// receives of the group. Only this order tells where the bytes of an incremental buffer begin, and
// which buffers follow in a bundle.
//
// Consume appends the pieces, each with one holder, to dst. Only a bundled receive has more than
// one piece. An error means that the completion contradicts the ring: the memory can no longer be
// trusted, and the owner must shut the ring down.
func (g *Group) Consume(dst []Segment, id uring.BufferID, n int, more bool) ([]Segment, error) {
	for {
		if int(id) >= len(g.bufs) || !g.bufs[id].kernel {
			return dst, fmt.Errorf(
				"bufring: the kernel completed a receive into buffer %d, which it does not have",
				id,
			)
		}
		b := &g.bufs[id]
		take := min(n, len(b.mem)-b.next)
		n -= take
		dst = append(dst, Segment{Data: b.mem[b.next : b.next+take : b.next+take], Owner: b.Clone()})
		b.next += take
		if n > 0 || !more {
			b.kernel = false
			g.free--
			b.Release()
		}
		if n == 0 {
			return dst, nil
		}
		id = uring.BufferID(g.order[(g.at[id]+1)&uint16(len(g.order)-1)])
	}
}

// Publish shows the kernel the buffers that have come back since the last call, and spare ones
// until the kernel has as many as Window says.
func (g *Group) Publish() {
	for n := len(g.spare); n > g.cfg.Floor && g.free < g.cfg.Window; n-- {
		b := &g.bufs[g.spare[n-1]]
		g.spare = g.spare[:n-1]
		g.provide(b)
	}
	if g.queued > 0 {
		g.queued = 0
		g.provider.Advance()
	}
}

// Take returns a buffer that the kernel does not have. The caller is its one holder and may write
// to it. Take returns nil when there is no such buffer.
func (g *Group) Take() *Buffer {
	n := len(g.spare)
	if n == 0 {
		return nil
	}
	b := &g.bufs[g.spare[n-1]]
	g.spare = g.spare[:n-1]
	b.refs = 1
	return b
}

// Spare reports whether Take would return a buffer.
func (g *Group) Spare() bool { return len(g.spare) > 0 }

// Available returns how many buffers nobody holds: those that the kernel has, and the spare ones,
// which it gets when it has used up others.
func (g *Group) Available() int { return g.free + len(g.spare) }

// Provided returns how many buffers the kernel may fill before the next Publish.
func (g *Group) Provided() int { return g.free }

// Open reports whether the kernel has buffers, or will have some after the next Publish.
func (g *Group) Open() bool { return g.free > 0 || len(g.spare) > g.cfg.Floor }

// Count returns the number of buffers.
func (g *Group) Count() int { return len(g.bufs) }

// BufferSize returns the bytes of one buffer.
func (g *Group) BufferSize() int { return g.cfg.Size }

// Incremental reports whether the kernel fills buffers piece by piece.
func (g *Group) Incremental() bool { return g.cfg.Incremental }

// Outstanding returns how many buffers the program holds.
func (g *Group) Outstanding() int {
	n := len(g.bufs) - g.free - len(g.spare)
	for i := range g.bufs {
		if b := &g.bufs[i]; b.kernel && b.refs > 1 {
			n++
		}
	}
	return n
}

// Close unmaps the memory. Before it, the owner must unregister or close the kernel's ring, and all
// holders must release their buffers.
func (g *Group) Close() error {
	if n := g.Outstanding(); n != 0 {
		return fmt.Errorf("bufring: %d receive buffers are still held", n)
	}
	m := g.arena
	g.arena, g.closing = nil, true
	return uring.Unmap(m)
}

func (g *Group) put(b *Buffer) {
	if g.closing {
		return
	}
	b.poison()
	if g.free < g.cfg.Window && len(g.spare) >= g.cfg.Floor {
		g.provide(b)
	} else {
		g.spare = append(g.spare, b.index)
	}
	if g.Returned != nil {
		g.Returned()
	}
}

// provide hands b to the kernel, which becomes its one holder.
func (g *Group) provide(b *Buffer) {
	if checks.Enabled {
		checks.Assert(b.refs == 0 && !b.kernel, "bufring: a held buffer is provided")
	}
	b.refs, b.next, b.kernel = 1, 0, true
	at := g.tail & uint16(len(g.order)-1)
	g.order[at], g.at[b.index] = b.index, at
	g.tail++
	g.provider.Add(b.mem, uring.BufferID(b.index))
	g.queued++
	g.free++
}
