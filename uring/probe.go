package uring

import (
	"runtime"
	"sync"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/internal/abi"
)

// kernelProbe is what the running kernel can do, before the caller switches features off.
type kernelProbe struct {
	features Features
}

// probed remembers what the first probe found, since the kernel does not change under a process. It
// keeps no failures, since an administrator may correct a limit or a sysctl.
var probed struct {
	mu    sync.Mutex
	probe *kernelProbe
}

func probeKernel() (*kernelProbe, error) {
	probed.mu.Lock()
	defer probed.mu.Unlock()
	if probed.probe != nil {
		return probed.probe, nil
	}
	p, err := probeFresh(sysSetup)
	if err != nil {
		return nil, err
	}
	probed.probe = p
	return p, nil
}

// setupFunc is io_uring_setup. Tests pass functions that answer as older kernels do.
type setupFunc func(entries uint32, p *abi.Params) (int, unix.Errno)

// probeFresh asks a small scratch ring, so that the probing leaves no trace in a ring that is used.
func probeFresh(setup setupFunc) (*kernelProbe, error) {
	// The scratch ring belongs to the thread that made it.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	k := &kernelProbe{features: Features{found: AllFeatures, Kernel: kernelRelease()}}
	f := &k.features
	p := abi.Params{CQEntries: 16, Flags: setupFlags(f)}
	fd, errno := setup(4, &p)
	// The kernel answers EINVAL to flags that it does not know. Try again without the youngest
	// of them.
	for _, one := range []Feature{NoSQArray, DeferTaskrun, SingleIssuer} {
		if errno != unix.EINVAL {
			break
		}
		f.miss(one, missingReason(one))
		p = abi.Params{CQEntries: 16, Flags: setupFlags(f)}
		fd, errno = setup(4, &p)
	}
	if errno != 0 {
		return nil, diagnose("io_uring_setup", errno, readEnvironment())
	}
	r := &Ring{fd: fd, enterFD: fd, features: *f}
	if err := r.mapRings(&p); err != nil {
		_ = unix.Close(fd)
		return nil, err
	}
	defer func() { _ = r.Close() }()
	// A system call filter may allow making a ring and refuse using it.
	if _, errno := enterNow(fd, 0, 0); errno != 0 {
		return nil, diagnose("io_uring_enter", errno, readEnvironment())
	}
	ops, errno := r.probeOps()
	if errno != 0 && errno != unix.EINVAL { // that is a kernel without probing
		return nil, diagnose("io_uring_register", errno, readEnvironment())
	}
	if errno != 0 || !ops.has(abi.OpSendmsgZC) || f.missing&(DeferTaskrun|SingleIssuer) != 0 {
		return nil, &SetupError{
			Op: "probe", Errno: errno, Kind: ErrKernelOld,
			Cause:  "Linux " + f.Kernel + " lacks what io_uring of Linux " + kernelFloor + " has",
			Remedy: "run Linux " + kernelFloor + " or later",
		}
	}
	if p.Features&abi.FeatRecvSendBundle == 0 {
		f.miss(Bundle, missingReason(Bundle))
	}
	if p.Features&abi.FeatNoIOWait == 0 {
		f.miss(NoIOWait, missingReason(NoIOWait))
	}
	for one, op := range featureOps {
		if !ops.has(op) {
			f.miss(one, missingReason(one))
		}
	}
	// The kernel checks the flags of a send before its descriptor: EINVAL means an unknown
	// flag, EBADF a known one.
	if !r.sendFlagKnown(abi.OpSendZC, abi.SendZCReportUsage) {
		f.miss(ZCReportUsage, missingReason(ZCReportUsage))
	}
	if !r.sendFlagKnown(abi.OpSend, abi.SendVectorized) {
		f.miss(SendVectorized, missingReason(SendVectorized))
	}
	if !r.incRingKnown() {
		f.miss(IncBufRing, missingReason(IncBufRing))
	}
	return k, nil
}

// featureOps has the features that stand for one operation, with its number.
var featureOps = map[Feature]uint8{
	SendZC: abi.OpSendZC, SendMsgZC: abi.OpSendmsgZC,
	ReadMultishot: abi.OpReadMultishot, FixedInstall: abi.OpFixedFDInstall,
	Ftruncate: abi.OpFtruncate, Pipe: abi.OpPipe,
}

func missingReason(one Feature) string {
	return "needs Linux " + one.Since()
}

// probeOps asks which operations the kernel has.
func (r *Ring) probeOps() (*opSet, unix.Errno) {
	p := new(abi.Probe)
	_, errno := sysRegister(r.fd, abi.RegisterProbe, unsafe.Pointer(p), abi.ProbeOpsMax)
	set := &opSet{}
	for _, op := range p.Ops[:p.OpsLen] {
		set[op.Op] = op.Flags&abi.OpSupported != 0
	}
	return set, errno
}

// opSet says of each operation whether the kernel has it.
type opSet [abi.ProbeOpsMax]bool

func (s *opSet) has(op uint8) bool { return s[op] }

// sendFlagKnown submits a send on no descriptor at all.
func (r *Ring) sendFlagKnown(op uint8, flag uint16) bool {
	s := r.SQE()
	s.prep(op, -1, 0, 0, 0)
	s.e.IOPrio = flag
	if _, err := r.Submit(); err != nil {
		return false
	}
	known := false
	var cqes [2]CQE
	for _, c := range cqes[:r.Harvest(cqes[:])] {
		if !c.Notif() {
			known = c.Errno() == unix.EBADF
		}
	}
	return known
}

// incRingKnown registers an incremental buffer ring and takes it back.
func (r *Ring) incRingKnown() bool {
	b, err := r.newBufRing(0, 1, abi.PbufRingInc)
	if err != nil {
		return false
	}
	return b.Close() == nil
}
