package posixfs

import (
	"encoding/binary"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Requests of the kernel to a FUSE process (linux/fuse.h).
const (
	fuseLookup   = 1
	fuseGetattr  = 3
	fuseMkdir    = 9
	fuseOpen     = 14
	fuseWrite    = 16
	fuseStatfs   = 17
	fuseFsync    = 20
	fuseCreate   = 35
	fuseInit     = 26
	fuseOpendir  = 27
	fuseForget   = 2
	fuseForgets  = 42
	fuseInterupt = 36
	fuseRelease  = 18
	fuseFlush    = 25
	fuseReldir   = 29
	fuseFsyncdir = 30
	fuseSetattr  = 4
	fuseIoctl    = 39
)

// process is a file system in this process. It has an empty file f, which forgets all data that is
// written to it, and objects that the test makes beside f.
type process struct {
	dir string
	fd  int

	mu    sync.Mutex
	fails map[uint32]failing // by opcode
	asked map[uint32]int

	seconds uint64            // of all time stamps, 0 for 7
	coarse  uint64            // of new objects, multiples of so many seconds are kept
	kept    map[uint64]uint64 // those: access and modification time by their places in a reply
	made    bool              // something was created
	folds   uint64            // the directory that folds case; 0: no directory is asked
}

// failing is an answer, and how often the process gives it before all is well.
type failing struct {
	errno unix.Errno
	times int
}

// forEver is a number of tries that no caller makes unless it tries without end.
const forEver = 10_000

func mountProcess(t *testing.T) *process {
	t.Helper()
	needRoot(t)
	fd, err := unix.Open("/dev/fuse", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("needs FUSE: %v", err)
	}
	p := &process{dir: tmpfsDir(t), fd: fd}
	p.fail(0, failing{})
	if err := unix.Mount("test", p.dir, "fuse.test", unix.MS_NODEV|unix.MS_NOSUID, fmt.Sprintf("fd=%d,rootmode=40755,user_id=0,group_id=0,allow_other,default_permissions", fd)); err != nil {
		_ = unix.Close(fd)
		t.Skipf("needs FUSE mounts: %v", err)
	}
	var done sync.WaitGroup
	done.Go(p.run)
	t.Cleanup(func() {
		if err := unix.Unmount(p.dir, 0); err != nil {
			t.Errorf("umount: %v", err)
			_ = unix.Unmount(p.dir, unix.MNT_DETACH|unix.MNT_FORCE)
		}
		done.Wait()
		_ = unix.Close(fd)
	})
	return p
}

// fail makes op fail, and drops the failures from before.
func (p *process) fail(op uint32, f failing) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fails, p.asked = map[uint32]failing{op: f}, map[uint32]int{}
}

// be changes what the file system is like.
func (p *process) be(change func(*process)) *process {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p)
	return p
}

func (p *process) count(op uint32) int { p.mu.Lock(); defer p.mu.Unlock(); return p.asked[op] }

func (p *process) run() {
	b := make([]byte, 1<<20)
	for {
		n, err := unix.Read(p.fd, b)
		switch err {
		case nil:
			p.answer(b[:n])
		case unix.EINTR, unix.ENOENT, unix.EAGAIN:
		default: // unmounted
			return
		}
	}
}

func (p *process) answer(in []byte) {
	op, node := binary.NativeEndian.Uint32(in[4:]), binary.NativeEndian.Uint64(in[16:])
	if op == fuseForget || op == fuseForgets || op == fuseInterupt {
		return
	}
	out := make([]byte, 16, 256)
	copy(out[8:], in[8:16])
	p.mu.Lock()
	p.asked[op]++
	errno := unix.Errno(0)
	if f := p.fails[op]; p.asked[op] <= f.times {
		errno = f.errno
	}
	p.mu.Unlock()
	if errno == 0 {
		var body []byte
		if body, errno = p.reply(op, node, in[40:]); errno == 0 {
			out = append(out, body...)
		}
	}
	binary.NativeEndian.PutUint32(out, uint32(len(out)))
	binary.NativeEndian.PutUint32(out[4:], uint32(-int32(errno)))
	_, _ = unix.Write(p.fd, out) // refused when the caller has gone
}

// reply is the answer to the kernel when all is well.
func (p *process) reply(op uint32, node uint64, body []byte) ([]byte, unix.Errno) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u32, u64 := binary.NativeEndian.AppendUint32, binary.NativeEndian.Uint64
	at, of := 0, node // where the attributes begin in the reply, and the node that they describe
	var out []byte
	var errno unix.Errno
	switch name := string(cut(body)); {
	case op == fuseIoctl && p.folds != 0:
		flags := uint32(0)
		if node == p.folds {
			flags = 0x40000000 // FS_CASEFOLD_FL
		}
		return u32(make([]byte, 16), flags), 0
	case op == fuseLookup && node == 1 && name == "d":
		at, of = 40, 4
		out, errno = reply(fuseMkdir, node, body)
	case op == fuseLookup && node == 1 && name == "new" && p.made && p.coarse > 0:
		at, of = 40, 3
		out, errno = reply(fuseCreate, node, nil)
		out = out[:len(out)-16]
	case op == fuseSetattr && p.coarse > 0:
		p.kept = map[uint64]uint64{
			24: u64(body[32:]) / p.coarse * p.coarse,
			32: u64(body[40:]) / p.coarse * p.coarse,
		}
		at = 16
		out, errno = reply(fuseGetattr, node, body)
	default:
		switch op {
		case fuseLookup, fuseMkdir:
			at = 40
		case fuseCreate:
			p.made, at, of = true, 40, 3
		case fuseGetattr:
			at = 16
		}
		out, errno = reply(op, node, body)
	}
	if at == 0 || errno != 0 {
		return out, errno
	}
	for i := 24; i < 48 && p.seconds != 0; i += 8 { // struct fuse_attr
		binary.NativeEndian.PutUint64(out[at+i:], p.seconds)
	}
	if of == 3 {
		for i, x := range p.kept {
			binary.NativeEndian.PutUint64(out[at+int(i):], x)
		}
	}
	return out, 0
}

func reply(op uint32, node uint64, body []byte) ([]byte, unix.Errno) {
	u32, u64 := binary.NativeEndian.AppendUint32, binary.NativeEndian.AppendUint64
	attr := func(out []byte, node uint64) []byte {
		mode := uint32(unix.S_IFREG | 0o644)
		if node == 1 || node == 4 {
			mode = unix.S_IFDIR | 0o755
		}
		for _, x := range []uint64{node, 0, 0, 7, 7, 7} { // number, size, blocks, times
			out = u64(out, x)
		}
		for _, x := range []uint32{0, 0, 0, mode, 1, 0, 0, 0, 4096, 0} {
			out = u32(out, x)
		}
		return out
	}
	entry := func(node uint64) []byte {
		out := u64(u64(nil, node), 1) // its generation
		return attr(append(out, make([]byte, 24)...), node)
	}
	switch op {
	case fuseInit:
		const exportSupport = 1 << 4
		out := u32(u32(u32(u32(nil, 7), 31), 0), exportSupport)
		out = u32(u32(u32(out, 0), 1<<16), 1)
		return append(out, make([]byte, 64-len(out))...), 0
	case fuseLookup:
		switch name := string(cut(body)); {
		case name == ".":
			return entry(node), 0
		case name == "f" && node == 1:
			return entry(2), 0
		}
		return nil, unix.ENOENT
	case fuseGetattr:
		return attr(make([]byte, 16), node), 0
	case fuseCreate:
		return append(entry(3), make([]byte, 16)...), 0
	case fuseMkdir:
		return entry(4), 0
	case fuseOpen, fuseOpendir:
		return make([]byte, 16), 0
	case fuseWrite:
		return u32(u32(nil, binary.NativeEndian.Uint32(body[16:])), 0), 0
	case fuseStatfs:
		out := append(make([]byte, 40), u32(u32(nil, 4096), 255)...)
		return append(out, make([]byte, 80-len(out))...), 0
	case fuseFsync, fuseFsyncdir, fuseFlush, fuseRelease, fuseReldir:
		return nil, 0
	}
	return nil, unix.ENOSYS
}

// Whatever a file system answers, and however often, a call ends: with an error that a program
// understands, or with success when the file system succeeds at last.
func TestNoErrorOfAFileSystemLastsForEver(t *testing.T) {
	const once, often, interrupted = 1, 1 + kernel.PausesMax, 1 + kernel.AtOnceMax + kernel.PausesMax
	for _, x := range []struct {
		errno unix.Errno
		tries int
		named vfs.Status
	}{
		{unix.EINTR, interrupted, vfs.IO}, {unix.ENOMEM, often, vfs.IO}, {unix.EAGAIN, often, vfs.IO}, {unix.ENOLCK, often, vfs.IO},
		{unix.EDEADLK, often, vfs.IO}, {unix.ETIMEDOUT, once, vfs.IO}, {unix.ENOTCONN, once, vfs.IO}, {unix.ECONNABORTED, once, vfs.IO},
		{unix.EHOSTDOWN, once, vfs.IO}, {unix.EILSEQ, once, vfs.Inval}, {unix.EFAULT, once, vfs.IO},
	} {
		t.Run(strings.ReplaceAll(x.errno.Error(), " ", "_"), func(t *testing.T) {
			t.Parallel()
			p := mountProcess(t)
			s := serve(t, p.dir, Config{}, options{period: time.Hour})
			t.Cleanup(s.close)
			h := s.lookup("f")
			data := [][]byte{make([]byte, 100)}
			for name, call := range map[string]struct {
				op  uint32
				do  func(v *View) vfs.Status
				end vfs.Status
			}{
				"create": {fuseCreate, func(v *View) vfs.Status {
					return v.Create(s.root(), s.fs.Root(), &vfs.CreateArgs{Name: []byte("new"), How: vfs.Guarded, Set: &vfs.SetAttr{HasMode: true, Mode: 0o644}}, &vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
				}, x.named},
				"mkdir": {fuseMkdir, func(v *View) vfs.Status {
					return v.Mkdir(s.root(), s.fs.Root(), &vfs.MkdirArgs{Name: []byte("dir"), Set: &vfs.SetAttr{HasMode: true, Mode: 0o755}}, &vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)})
				}, x.named},
				"attributes": {fuseGetattr, func(v *View) vfs.Status { return v.GetAttr(h, new(vfs.Attr)) }, vfs.IO},
				"write": {fuseWrite, func(v *View) vfs.Status {
					_, _, _, st := v.Write(s.root(), h, &vfs.WriteArgs{Off: 0, Src: data, How: vfs.Unstable}, new(vfs.WCC))
					return st
				}, vfs.IO},
				"open": {fuseOpen, func(v *View) vfs.Status {
					s.fs.tab.Retire(s.entryOf(h))
					v.done()
					_, _, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: make([]byte, 10)}, new(vfs.Attr))
					return st
				}, vfs.IO},
			} {
				s.w.do(func(v *View) {
					p.fail(call.op, failing{})
					require.Equal(
						t,
						vfs.OK,
						v.GetAttr(h, new(vfs.Attr)),
						name,
					) // the file is open, and the kernel knows it
					p.fail(call.op, failing{x.errno, forEver})
					require.Equal(t, call.end, call.do(v), name)
					require.LessOrEqual(t, p.count(call.op), x.tries, name)
					require.Positive(t, p.count(call.op), name)
					if x.tries == once || name == "mkdir" { // a second try would find its object
						return
					}
					p.fail(0, failing{})
					require.Equal(t, vfs.OK, v.GetAttr(h, new(vfs.Attr)), name)
					p.fail(call.op, failing{x.errno, 3})
					if name == "create" {
						_ = call.do(v) // opened, and found again by its handle
						require.Equal(t, 4, p.count(call.op))
						return
					}
					require.Equal(t, vfs.OK, call.do(v), name)
				})
			}
		})
	}
}

func TestPatienceHasAnEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for e, want := range map[unix.Errno]struct {
			tries int
			for1  time.Duration
		}{
			unix.EINTR:     {26, 1023 * time.Millisecond},
			unix.ENOMEM:    {10, 1023 * time.Millisecond},
			unix.EAGAIN:    {10, 1023 * time.Millisecond},
			unix.ENOLCK:    {10, 1023 * time.Millisecond},
			unix.EDEADLK:   {10, 1023 * time.Millisecond},
			unix.ENOBUFS:   {10, 1023 * time.Millisecond},
			unix.ETIMEDOUT: {0, 0}, unix.EIO: {0, 0}, unix.ENOSPC: {0, 0},
		} {
			began, tries := time.Now(), 0
			for p := (kernel.Patience{}); tries < 1000 && p.Again(e); {
				tries++
			}
			require.Equal(t, want.tries, tries, e.Error())
			require.Equal(t, want.for1, time.Since(began), e.Error())
		}
		n := 0
		for p := (kernel.Patience{}); n < 1000 && p.AtOnceAgain(unix.EINTR); {
			n++
		}
		require.Equal(t, 16, n)
	})
}

// If an interrupted fsync has used up a failure, the kernel reports that to nobody else.
func TestAnInterruptedFlushMayHaveBeenAFailure(t *testing.T) {
	left := 2
	s := serve(t, tmpfsDir(t), Config{}, options{fsync: func(int) unix.Errno {
		if left--; left >= 0 {
			return unix.EINTR
		}
		return 0
	}})
	s.write("f", "", 0o666)
	h := s.lookup("f")
	s.w.do(func(v *View) {
		_, _, verf, st := v.Write(
			s.root(),
			h,
			&vfs.WriteArgs{Off: 0, Src: [][]byte{{1}}, How: vfs.Unstable},
			new(vfs.WCC),
		)
		require.Equal(t, vfs.OK, st)
		now, st := v.Commit(s.root(), h, &vfs.CommitArgs{Off: 0, Count: 0}, new(vfs.WCC))
		require.Equal(t, vfs.OK, st)
		require.NotEqual(t, verf, now)
	})
}

// A lease ends by itself: the client should come back, and not get an error.
func TestALeaseIsWaitedForByTheClient(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	s.write("f", "content", 0o666)
	h := s.lookup("f")
	fd, err := unix.Open(filepath.Join(s.dir, "f"), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	defer func() { require.NoError(t, unix.Close(fd)) }()
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_RDLCK); err != nil {
		t.Skipf("needs leases: %v", err)
	}
	_, _ = unix.FcntlInt(uintptr(fd), unix.F_SETSIG, int(unix.SIGURG)) // Go ignores it
	s.w.do(func(v *View) {
		write := func() vfs.Status {
			_, _, _, st := v.Write(
				s.root(),
				h,
				&vfs.WriteArgs{Off: 0, Src: [][]byte{{1}}, How: vfs.Unstable},
				new(vfs.WCC),
			)
			return st
		}
		require.Equal(t, vfs.Delay, write())
		_, err := unix.FcntlInt(uintptr(fd), unix.F_SETLEASE, unix.F_UNLCK)
		require.NoError(t, err)
		require.Equal(t, vfs.OK, write())
	})
}
