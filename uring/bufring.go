package uring

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/checks"
	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// BufRing is a ring of provided buffers. The caller adds free buffers; the kernel takes them for
// receives of the ring's group, in the order in which they were added. A BufRing belongs to its
// ring's thread. It holds descriptions only: the buffers are the caller's.
type BufRing struct {
	ring  *Ring
	mem   []byte
	bufs  []abi.Buf
	tail  uint16 // of what was added; shared memory has the tail of what was published
	mask  uint16
	group GroupID
	inc   bool
}

// BufRingEntriesMax is the most entries of a BufRing.
const BufRingEntriesMax = abi.PbufRingEntriesMax

// NewBufRing registers a ring for up to entries buffers as group. entries is a power of two, at
// most BufRingEntriesMax. With incremental (needs IncBufRing) the kernel fills a buffer piece by
// piece, see CQE.BufMore. If the group is in use, the error is unix.EEXIST.
func (r *Ring) NewBufRing(group GroupID, entries int, incremental bool) (*BufRing, error) {
	r.owner.check()
	flags := uint16(0)
	if incremental {
		if !r.features.Has(IncBufRing) {
			return nil, fmt.Errorf("%w: %v", ErrFeature, IncBufRing)
		}
		flags = abi.PbufRingInc
	}
	return r.newBufRing(group, entries, flags)
}

func (r *Ring) newBufRing(group GroupID, entries int, flags uint16) (*BufRing, error) {
	if entries <= 0 || entries > BufRingEntriesMax || entries&(entries-1) != 0 {
		return nil, fmt.Errorf("uring: buffer ring of %d entries: %w", entries, unix.EINVAL)
	}
	mem, err := Map(entries * int(unsafe.Sizeof(abi.Buf{})))
	if err != nil {
		return nil, err
	}
	reg := abi.BufReg{
		RingAddr: address(mem), RingEntries: uint32(entries), BGID: uint16(group), Flags: flags,
	}
	if _, errno := sysRegister(r.fd, abi.RegisterPbufRing, unsafe.Pointer(&reg), 1); errno != 0 {
		return nil, errors.Join(os.NewSyscallError("io_uring_register(PBUF_RING)", errno), Unmap(mem))
	}
	return &BufRing{
		ring: r, mem: mem, group: group, mask: uint16(entries - 1),
		inc:  flags&abi.PbufRingInc != 0,
		bufs: unsafe.Slice((*abi.Buf)(unsafe.Pointer(&mem[0])), entries),
	}, nil
}

// Group returns the group that entries name to take from this ring.
func (b *BufRing) Group() GroupID { return b.group }

// Entries returns how many buffers fit.
func (b *BufRing) Entries() int { return len(b.bufs) }

// Incremental says that the kernel fills buffers piece by piece.
func (b *BufRing) Incremental() bool { return b.inc }

// Add puts a free buffer behind the others; Advance shows it to the kernel. The caller counts: the
// kernel may have at most Entries buffers.
func (b *BufRing) Add(buf []byte, id BufferID) {
	checks.Assert(len(buf) > 0, "empty buffer provided")
	e := &b.bufs[b.tail&b.mask]
	e.Addr = address(buf)
	e.Len = uint32(len(buf))
	e.BID = uint16(id) // not the whole entry: Resv of the first one is the tail
	b.tail++
}

// Advance shows all added buffers to the kernel.
func (b *BufRing) Advance() {
	// The tail is the upper half of a word whose lower half is the id of entry
	// zero, which only this side writes. Storing both gives the 16-bit tail
	// the release store that sync/atomic has for words alone.
	first := &b.bufs[0]
	word := (*uint32)(unsafe.Pointer(&first.BID))
	atomic.StoreUint32(word, uint32(b.tail)<<16|uint32(first.BID))
}

// Close takes the group back from the kernel. A buffer is free once no operation that took it is
// pending.
func (b *BufRing) Close() error {
	if b.mem == nil {
		return ErrClosed
	}
	reg := abi.BufReg{BGID: uint16(b.group)}
	if _, errno := sysRegister(b.ring.fd, abi.UnregisterPbufRing, unsafe.Pointer(&reg), 1); errno != 0 {
		return os.NewSyscallError("io_uring_unregister(PBUF_RING)", errno)
	}
	mem := b.mem
	b.mem, b.bufs = nil, nil
	return Unmap(mem)
}
