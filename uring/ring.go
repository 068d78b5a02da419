package uring

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// Ring is one io_uring, made by New. The package comment says which thread may call what.
type Ring struct {
	// Immutable after New.
	fd       int
	features Features
	sq       sqShared
	cq       cqShared
	mem      mapping
	wait     *waitArg // off-heap, argument of blocking enters

	// Owned by the ring's thread.
	tail        uint32 // of the entries handed out; sq.tail is of those published
	head        uint32 // of the completions harvested
	room        uint32 // sq head as last seen, so that SQE reads shared memory less often
	enterFD     int    // fd, or its index when registered
	enterFlags  uint32 // flags of every enter
	ringIndexed bool   // enterFD is an index
	owner       owner
}

// sqShared points into the submission ring that is shared with the kernel.
type sqShared struct {
	head, tail, flags *uint32
	mask, entries     uint32
	sqes              []SQE
}

// cqShared points into the completion ring that is shared with the kernel.
type cqShared struct {
	head, tail, overflow, flags *uint32
	mask, entries               uint32
	cqes                        []CQE
}

// mapping is what Close has to unmap.
type mapping struct {
	rings, sqes, args []byte
}

// waitArg is what a blocking enter points at.
type waitArg struct {
	arg abi.GetEventsArg
	ts  abi.Timespec
}

// New makes a ring. Unless SingleIssuer is switched off, the ring belongs to the calling thread, so
// the goroutine must call runtime.LockOSThread first. On failure the error is a *SetupError, whose
// text names the likely cause and the remedy.
func New(cfg Config) (*Ring, error) {
	cfg.defaults()
	kernel, err := probeKernel()
	if err != nil {
		return nil, err
	}
	r := &Ring{fd: -1, features: kernel.features}
	r.features.without(cfg.Without)
	p := abi.Params{CQEntries: cfg.CQEntries, Flags: setupFlags(&r.features)}
	fd, errno := sysSetup(cfg.Entries, &p)
	if errno != 0 {
		return nil, diagnose("io_uring_setup", errno, readEnvironment())
	}
	r.fd = fd
	r.enterFD = fd
	if r.features.Has(NoIOWait) {
		r.enterFlags = abi.EnterNoIOWait
	}
	if err := r.mapRings(&p); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	if err := r.adopt(); err != nil {
		return nil, errors.Join(err, r.Close())
	}
	return r, nil
}

// setupFlags are the flags of io_uring_setup for these features.
func setupFlags(f *Features) uint32 {
	// With SUBMIT_ALL a bad entry gets its completion and does not hold up the rest.
	flags := uint32(abi.SetupCQSize | abi.SetupClamp | abi.SetupSubmitAll | abi.SetupTaskrunFlag)
	if f.Has(SingleIssuer) {
		flags |= abi.SetupSingleIssuer
	}
	if f.Has(DeferTaskrun) {
		flags |= abi.SetupDeferTaskrun
	} else {
		flags |= abi.SetupCoopTaskrun
	}
	if f.Has(NoSQArray) {
		flags |= abi.SetupNoSQArray
	}
	return flags
}

// mapRings maps what the kernel described in p.
func (r *Ring) mapRings(p *abi.Params) error {
	sqSize := p.SQOff.Flags + 4
	if p.Flags&abi.SetupNoSQArray == 0 {
		sqSize = p.SQOff.Array + 4*p.SQEntries
	}
	cqSize := p.CQOff.CQEs + p.CQEntries*uint32(unsafe.Sizeof(CQE{}))
	// FEAT_SINGLE_MMAP (5.4): both rings lie in one mapping.
	rings, err := r.mapShared(abi.OffSQRing, int(max(sqSize, cqSize)))
	if err != nil {
		return err
	}
	r.mem.rings = rings
	sqes, err := r.mapShared(abi.OffSQEs, int(p.SQEntries)*int(unsafe.Sizeof(SQE{})))
	if err != nil {
		return err
	}
	r.mem.sqes = sqes
	if r.mem.args, err = Map(int(unsafe.Sizeof(waitArg{}))); err != nil {
		return err
	}
	r.wait = (*waitArg)(unsafe.Pointer(&r.mem.args[0]))
	r.wait.arg.TS = pointer(&r.wait.ts)

	word := func(off uint32) *uint32 { return (*uint32)(unsafe.Pointer(&rings[off])) }
	r.sq = sqShared{
		head: word(p.SQOff.Head), tail: word(p.SQOff.Tail), flags: word(p.SQOff.Flags),
		mask: *word(p.SQOff.RingMask), entries: p.SQEntries,
		sqes: unsafe.Slice((*SQE)(unsafe.Pointer(&sqes[0])), p.SQEntries),
	}
	r.cq = cqShared{
		head: word(p.CQOff.Head), tail: word(p.CQOff.Tail),
		overflow: word(p.CQOff.Overflow), flags: word(p.CQOff.Flags),
		mask: *word(p.CQOff.RingMask), entries: p.CQEntries,
		cqes: unsafe.Slice((*CQE)(unsafe.Pointer(&rings[p.CQOff.CQEs])), p.CQEntries),
	}
	if p.Flags&abi.SetupNoSQArray == 0 {
		// Entry i is always at place i, so the index table never changes.
		array := unsafe.Slice(word(p.SQOff.Array), p.SQEntries)
		for i := range array {
			array[i] = uint32(i)
		}
	}
	return nil
}

func (r *Ring) mapShared(off int64, n int) ([]byte, error) {
	p, err := unix.MmapPtr(r.fd, off, nil, uintptr(n),
		unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_POPULATE)
	if err != nil {
		errno, _ := err.(unix.Errno)
		return nil, diagnose("mmap of the ring", errno, readEnvironment())
	}
	return unsafe.Slice((*byte)(p), n), nil
}

// adopt makes the calling thread the ring's.
func (r *Ring) adopt() error {
	r.owner.adopt(r.features.Has(SingleIssuer))
	if !r.features.Has(RegisteredRing) {
		return nil
	}
	if err := r.registerRingFD(); err != nil {
		if !errors.Is(err, unix.EBUSY) {
			return err
		}
		// A thread can register at most 16 rings. A ring without a place works, a little
		// slower.
		r.features.miss(RegisteredRing, "this thread has no free slot")
	}
	return nil
}

// Features tells which optional features the ring uses, and why it does not use the others. The
// result is valid as long as the ring.
func (r *Ring) Features() *Features { return &r.features }

// Entries returns how many entries can be queued.
func (r *Ring) Entries() uint32 { return r.sq.entries }

// CQEntries returns how many completions can wait without overflowing.
func (r *Ring) CQEntries() uint32 { return r.cq.entries }

// Close ends the ring and frees its memory, but not buffers. The kernel cancels pending operations
// after Close has returned, and may write to their buffers until then. A caller who needs that
// memory again must cancel and harvest everything before Close.
func (r *Ring) Close() error {
	if r.fd < 0 {
		return ErrClosed
	}
	var errs []error
	if r.ringIndexed {
		if err := r.unregisterRingFD(); err != nil {
			errs = append(errs, err)
		}
	}
	for _, m := range [][]byte{r.mem.rings, r.mem.sqes, r.mem.args} {
		if err := Unmap(m); err != nil {
			errs = append(errs, err)
		}
	}
	if err := unix.Close(r.fd); err != nil {
		errs = append(errs, fmt.Errorf("uring: close: %w", err))
	}
	*r = Ring{fd: -1, features: r.features}
	return errors.Join(errs...)
}
