package sole

import (
	"sync/atomic"
	"unsafe"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

const (
	// slotsMax is how many Slots a Tree has: 512 KiB.
	slotsMax = 1 << 15
	// Ticks is for how many ticks attributes are kept. After that the kernel is asked again. So a
	// local change that nobody has noticed is found when the object is used, and the space of a
	// file that the file system has moved without a change of the file is right again.
	Ticks = 8

	one   = 1 << 16 // a change that has ended, in a Count
	under = one - 1 // the bits that count changes under way
)

// Tree is the memory of one tree. The zero value is not ready; see [New].
type Tree struct {
	slots []Slot
	off   atomic.Bool
}

// New makes a Tree that is on.
func New() *Tree { return &Tree{slots: make([]Slot, slotsMax)} }

// On reports whether the memory may answer. Any thread may ask. It is false once [Tree.Withdraw]
// was called, for good.
func (t *Tree) On() bool { return !t.off.Load() }

// Withdraw forgets everything for good. It reports whether it was the first to do so.
func (t *Tree) Withdraw() bool { return t.off.CompareAndSwap(false, true) }

// Slot returns the counts of the object whose key has the hash.
func (t *Tree) Slot(hash uint64) *Slot { return &t.slots[hash%slotsMax] }

// Slot counts changes of an object.
type Slot struct {
	Attr  Count // of everything that attributes show
	Names Count // of the names in a directory
}

// Count is a count of changes: how many have ended, and how many are under way.
type Count struct{ n atomic.Uint64 }

// Now returns the count.
func (c *Count) Now() uint64 { return c.n.Load() }

// Begin counts a change that begins. It returns the count from before.
func (c *Count) Begin() (was uint64) { return c.n.Add(1) - 1 }

// End counts the end of the change, and returns the count after it.
func (c *Count) End() (now uint64) { return c.n.Add(one - 1) }

// Bump counts a change that has just ended, of which nobody needs to have known while it was under
// way: an access time that reading moves.
func (c *Count) Bump() { c.n.Add(one) }

// Never is a count that no object has at rest.
const Never = under

// AtRest reports whether no change was under way when n was the count.
func AtRest(n uint64) bool { return n&under == 0 }

// Ended returns the count after a change that began at was, if no other one began or ended
// meanwhile.
func Ended(was uint64) (now uint64) { return was + one }

// words is the size of a vfs.Attr in words.
const words = int(unsafe.Sizeof(vfs.Attr{}) / 8)

// The conversion between a vfs.Attr and its words, and the copies below, depend on this.
var (
	_ [17]struct{} = [words]struct{}{}
	_ [0]struct{}  = [unsafe.Sizeof(vfs.Attr{}) % 8]struct{}{}
)

// Kept are the attributes of one object, with the count for which they are true. All threads use
// them at once: seq is odd while somebody writes, and a reader who finds it odd or changed has read
// nothing.
type Kept struct {
	slot *Slot
	seq  atomic.Uint64
	tag  atomic.Uint64 // of slot.Attr; never at rest while nothing is kept
	tick atomic.Int64
	attr [words]atomic.Uint64
}

// NewKept makes the place for the attributes of the object that slot counts.
func NewKept(slot *Slot) *Kept {
	k := &Kept{slot: slot}
	k.tag.Store(Never)
	return k
}

// Slot returns the counts of the object.
func (k *Kept) Slot() *Slot { return k.slot }

// Fresh reports whether attributes are kept for the count n, and have been for less than half of the
// time that they are kept for.
func (k *Kept) Fresh(n uint64, tick int64) bool {
	return k.tag.Load() == n && tick-k.tick.Load() < Ticks/2
}

// Recall fills in a and reports true if attributes are kept that are true now. Otherwise a is
// unspecified. tick is the present tick.
func (k *Kept) Recall(a *vfs.Attr, tick int64) bool {
	return tick-k.tick.Load() < Ticks && k.at(k.slot.Attr.Now(), a)
}

// At is Recall for the count n, whatever the count and the tick are now.
func (k *Kept) At(n uint64, a *vfs.Attr) bool { return k.at(n, a) }

func (k *Kept) at(n uint64, a *vfs.Attr) bool {
	seq := k.seq.Load()
	if k.tag.Load() != n || seq&1 != 0 {
		return false
	}
	to, from := (*[words]uint64)(unsafe.Pointer(a)), &k.attr
	to[0] = from[0].Load()
	to[1] = from[1].Load()
	to[2] = from[2].Load()
	to[3] = from[3].Load()
	to[4] = from[4].Load()
	to[5] = from[5].Load()
	to[6] = from[6].Load()
	to[7] = from[7].Load()
	to[8] = from[8].Load()
	to[9] = from[9].Load()
	to[10] = from[10].Load()
	to[11] = from[11].Load()
	to[12] = from[12].Load()
	to[13] = from[13].Load()
	to[14] = from[14].Load()
	to[15] = from[15].Load()
	to[16] = from[16].Load()
	return k.seq.Load() == seq
}

// Keep keeps a, which was true while the count was n, for n. It does nothing if somebody else is
// keeping something at the same time, or if n is not at rest.
func (k *Kept) Keep(n uint64, tick int64, a *vfs.Attr) {
	if !AtRest(n) {
		return
	}
	seq := k.seq.Load()
	if seq&1 != 0 || !k.seq.CompareAndSwap(seq, seq+1) {
		return
	}
	from := (*[words]uint64)(unsafe.Pointer(a))
	for i := range from {
		k.attr[i].Store(from[i])
	}
	k.tick.Store(tick)
	k.tag.Store(n)
	k.seq.Store(seq + 2)
}

// Same reports whether two sets of attributes of one object are those of one state: whether all are
// the same that only a change of the object moves. Reading moves Atime, and the file system moves
// Used when it writes back.
func Same(a, b *vfs.Attr) bool {
	x, y := *a, *b
	x.Atime, x.Used = y.Atime, y.Used
	return x == y
}
