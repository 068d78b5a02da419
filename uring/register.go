package uring

import (
	"os"
	"runtime"
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

// registerRingFD registers the ring's descriptor, so that enter passes its index among this
// thread's rings.
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

// UpdateBuffers puts buffers into places first, first+1, ...; an empty slice empties its place. The
// kernel pins the memory until its place changes and no operation uses it any more. The memory
// counts against RLIMIT_MEMLOCK unless the process has CAP_IPC_LOCK.
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
	n, err := r.register(
		"BUFFERS_UPDATE",
		abi.RegisterBuffersUpdate,
		unsafe.Pointer(&up),
		uint32(unsafe.Sizeof(up)),
	)
	runtime.KeepAlive(buffers)
	return whole(n, len(iov), err, "BUFFERS_UPDATE")
}

// whole returns an error if the kernel stopped an update half way.
func whole(n, want int, err error, what string) error {
	if err == nil && n != want {
		err = os.NewSyscallError("io_uring_register("+what+")", unix.EINVAL)
	}
	return err
}
