package uring

import (
	"os"
	"runtime"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

func (r *Ring) register(what string, op uint32, arg unsafe.Pointer, n uint32) (int, error) {
	if r.fd < 0 {
		return 0, ErrClosed
	}
	r.owner.check()
	got, errno := sysRegister(r.fd, op, arg, n)
	if errno == unix.EEXIST && r.features.Has(SingleIssuer) && op != abi.RegisterPbufRing {
		return 0, ErrThread
	}
	if errno != 0 {
		return 0, os.NewSyscallError("io_uring_register("+what+")", errno)
	}
	return got, nil
}

// registerRingFD makes enter use the ring's index among the rings of this
// thread.
func (r *Ring) registerRingFD() error {
	up := abi.RsrcUpdate{Offset: ^uint32(0), Data: uint64(r.fd)}
	if _, err := r.register("RING_FDS", abi.RegisterRingFDs, unsafe.Pointer(&up), 1); err != nil {
		return err
	}
	r.enterFD = int(up.Offset)
	r.enterFlags |= abi.EnterRegisteredRing
	r.ringIndexed = true
	return nil
}

func (r *Ring) unregisterRingFD() error {
	up := abi.RsrcUpdate{Offset: uint32(r.enterFD)}
	_, err := r.register("UNREGISTER_RING_FDS", abi.UnregisterRingFDs, unsafe.Pointer(&up), 1)
	r.enterFD = r.fd
	r.enterFlags &^= abi.EnterRegisteredRing
	r.ringIndexed = false
	return err
}

// RegisterBufferTable makes a table of n empty places for fixed buffers.
func (r *Ring) RegisterBufferTable(n int) error {
	reg := abi.RsrcRegister{NR: uint32(n), Flags: abi.RsrcRegisterSparse}
	_, err := r.register("BUFFERS2", abi.RegisterBuffers2, unsafe.Pointer(&reg), uint32(unsafe.Sizeof(reg)))
	return err
}

// UpdateBuffers puts buffers into places first, first+1, ...; an empty slice
// empties its place. The memory is pinned until its place is changed and no
// operation uses it any more; it counts against RLIMIT_MEMLOCK unless the
// process has CAP_IPC_LOCK.
func (r *Ring) UpdateBuffers(first int, buffers ...[]byte) error {
	iov := make([]unix.Iovec, len(buffers))
	for i, b := range buffers {
		if len(b) > 0 {
			iov[i].Base = &b[0]
			iov[i].SetLen(len(b))
		}
	}
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(unsafe.SliceData(iov))
	up := abi.RsrcUpdate2{Offset: uint32(first), Data: pointer(unsafe.SliceData(iov)), NR: uint32(len(iov))}
	n, err := r.register("BUFFERS_UPDATE", abi.RegisterBuffersUpdate, unsafe.Pointer(&up), uint32(unsafe.Sizeof(up)))
	runtime.KeepAlive(buffers)
	return whole(n, len(iov), err, "BUFFERS_UPDATE")
}

// UnregisterBuffers removes the table. Operations that use a buffer keep it.
func (r *Ring) UnregisterBuffers() error {
	_, err := r.register("UNREGISTER_BUFFERS", abi.UnregisterBuffers, nil, 0)
	return err
}

// RegisterFileTable makes a table of n empty slots for fixed files.
func (r *Ring) RegisterFileTable(n int) error {
	reg := abi.RsrcRegister{NR: uint32(n), Flags: abi.RsrcRegisterSparse}
	_, err := r.register("FILES2", abi.RegisterFiles2, unsafe.Pointer(&reg), uint32(unsafe.Sizeof(reg)))
	return err
}

// UpdateFiles puts descriptors into slots first, first+1, ...; -1 empties a
// slot and FileSkip leaves it. The table holds the files by itself: the
// descriptors may be closed afterwards.
func (r *Ring) UpdateFiles(first int, fds ...int32) error {
	var pin runtime.Pinner
	defer pin.Unpin()
	pin.Pin(unsafe.SliceData(fds))
	up := abi.RsrcUpdate2{Offset: uint32(first), Data: pointer(unsafe.SliceData(fds)), NR: uint32(len(fds))}
	n, err := r.register("FILES_UPDATE2", abi.RegisterFilesUpdate2, unsafe.Pointer(&up), uint32(unsafe.Sizeof(up)))
	return whole(n, len(fds), err, "FILES_UPDATE2")
}

// FileSkip leaves a slot as it is in UpdateFiles.
const FileSkip int32 = abi.RegisterFilesSkip

// SetFileAllocRange limits FileIndexAlloc to n slots from first.
func (r *Ring) SetFileAllocRange(first, n int) error {
	reg := abi.FileIndexRange{Off: uint32(first), Len: uint32(n)}
	_, err := r.register("FILE_ALLOC_RANGE", abi.RegisterFileAllocRange, unsafe.Pointer(&reg), 0)
	return err
}

// UnregisterFiles removes the table. Operations that use a file keep it.
func (r *Ring) UnregisterFiles() error {
	_, err := r.register("UNREGISTER_FILES", abi.UnregisterFiles, nil, 0)
	return err
}

// whole turns an update that stopped half way into an error.
func whole(n, want int, err error, what string) error {
	if err == nil && n != want {
		err = os.NewSyscallError("io_uring_register("+what+")", unix.EINVAL)
	}
	return err
}

// RegisterPersonality registers the calling thread's present credentials:
// user, group, supplementary groups and capabilities, with their fs- variants.
func (r *Ring) RegisterPersonality() (Personality, error) {
	id, err := r.register("PERSONALITY", abi.RegisterPersonality, nil, 0)
	return Personality(id), err
}

// UnregisterPersonality forgets p; operations under way keep it.
func (r *Ring) UnregisterPersonality(p Personality) error {
	_, err := r.register("UNREGISTER_PERSONALITY", abi.UnregisterPersonality, nil, uint32(p))
	return err
}

// RegisterEventFD has the kernel signal fd for each completion.
func (r *Ring) RegisterEventFD(fd int) error {
	v := int32(fd)
	_, err := r.register("EVENTFD", abi.RegisterEventFD, unsafe.Pointer(&v), 1)
	return err
}

// UnregisterEventFD stops that.
func (r *Ring) UnregisterEventFD() error {
	_, err := r.register("UNREGISTER_EVENTFD", abi.UnregisterEventFD, nil, 0)
	return err
}

// SetWorkersMax limits the kernel's workers (io-wq) for bounded work (regular
// files) and unbounded work (the rest), per NUMA node. Zero leaves a limit as
// it is. It returns the limits before.
func (r *Ring) SetWorkersMax(bounded, unbounded int) (wasBounded, wasUnbounded int, err error) {
	v := [2]uint32{uint32(bounded), uint32(unbounded)}
	_, err = r.register("IOWQ_MAX_WORKERS", abi.RegisterIOWQMaxWorkers, unsafe.Pointer(&v), 2)
	return int(v[0]), int(v[1]), err
}

// CancelSync cancels every operation with that user data and waits until they
// are done, at most timeout (Forever: no limit), without harvesting their
// completions. It returns whether any was found. It blocks; a timeout is
// unix.ETIME.
func (r *Ring) CancelSync(userData uint64, timeout time.Duration) (bool, error) {
	return r.cancelSync(abi.SyncCancelReg{Addr: userData, FD: -1, Flags: abi.AsyncCancelAll}, timeout)
}

// CancelSyncAll is CancelSync for everything that is pending in the ring.
func (r *Ring) CancelSyncAll(timeout time.Duration) (bool, error) {
	return r.cancelSync(abi.SyncCancelReg{FD: -1, Flags: abi.AsyncCancelAll | abi.AsyncCancelAny}, timeout)
}

func (r *Ring) cancelSync(reg abi.SyncCancelReg, timeout time.Duration) (bool, error) {
	reg.Timeout = Timespec{Sec: -1, Nsec: -1}
	if timeout >= 0 {
		reg.Timeout = Timespec{Sec: int64(timeout / time.Second), Nsec: int64(timeout % time.Second)}
	}
	// With CANCEL_ALL the answer is how many were found, which may be none.
	n, err := r.register("SYNC_CANCEL", abi.RegisterSyncCancel, unsafe.Pointer(&reg), 1)
	return n > 0, err
}
