package uring

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

func TestReadsAndWrites(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		f := file(t, "0123456789")
		fd := int(f.Fd())
		m := memory(t, 4096)
		require.Equal(t, int32(5), ok(t, r, func(s *SQE) { s.PrepRead(fd, m[:100], 5, 0) }))
		require.Equal(t, "56789", string(m[:5]))
		require.Zero(t, ok(t, r, func(s *SQE) { s.PrepRead(fd, m, 1<<40, 0) }))

		require.Equal(t, int32(5), ok(t, r, func(s *SQE) { s.PrepWrite(fd, m[:5], 10, unix.RWF_DSYNC) }))
		iov, err := MapSlice[unix.Iovec](2)
		require.NoError(t, err)
		defer func() { require.NoError(t, UnmapSlice(iov)) }()
		iov[0] = unix.Iovec{Base: &m[0], Len: 2}
		iov[1] = unix.Iovec{Base: &m[200], Len: 3}
		require.Equal(t, int32(5), ok(t, r, func(s *SQE) { s.PrepReadv(fd, iov, 10, 0) }))
		require.Equal(t, "56"+"789", string(m[:2])+string(m[200:203]))
		require.Equal(t, int32(5), ok(t, r, func(s *SQE) { s.PrepWritev(fd, iov, 0, 0) }))
		ok(t, r, func(s *SQE) { s.PrepFsync(fd, false) })
		ok(t, r, func(s *SQE) { s.PrepFsyncRange(fd, 0, 5, true) })
		got, err := os.ReadFile(f.Name())
		require.NoError(t, err)
		require.Equal(t, "567895678956789", string(got))
	})
}

func TestRegisteredBuffers(t *testing.T) {
	r := newRing(t, Config{})
	fd := int(file(t, "0123456789").Fd())
	m := memory(t, 8192)
	require.NoError(t, r.RegisterBufferTable(3))
	require.NoError(t, r.UpdateBuffers(1, m[:4096], m[4096:]))
	require.Equal(t, int32(10), ok(t, r, func(s *SQE) { s.PrepReadFixed(fd, m[5000:5010], 0, 2, 0) }))
	require.Equal(t, "0123456789", string(m[5000:5010]))
	require.Equal(t, int32(3), ok(t, r, func(s *SQE) { s.PrepWriteFixed(fd, m[5007:5010], 0, 2, 0) }))
	require.Equal(t, unix.EFAULT, errnoOf(do(t, r, func(s *SQE) { s.PrepReadFixed(fd, m[:10], 0, 2, 0) })),
		"outside of its buffer")
	require.Equal(t, unix.EFAULT, errnoOf(do(t, r, func(s *SQE) { s.PrepReadFixed(fd, m[:10], 0, 0, 0) })),
		"an empty place")
	require.ErrorIs(t, r.UpdateBuffers(3, m), unix.EINVAL)
	require.NoError(t, r.UnregisterBuffers())
}

func TestRegisteredFiles(t *testing.T) {
	r := newRing(t, Config{})
	f := file(t, "0123456789")
	m := memory(t, 4096)
	require.NoError(t, r.RegisterFileTable(4))
	require.NoError(t, r.UpdateFiles(2, int32(f.Fd()), -1))
	require.NoError(t, f.Close())
	readSlot := func(slot int) CQE {
		return do(t, r, func(s *SQE) { s.PrepRead(slot, m[:10], 0, 0); s.AddFlags(FixedFile) })
	}
	require.Equal(t, int32(10), readSlot(2).Res)
	require.Equal(t, unix.EBADF, errnoOf(readSlot(3)))

	path := cstring(t, f.Name())
	how := one[unix.OpenHow](t)
	how.Flags = unix.O_RDONLY
	open := func(s *SQE) { s.PrepOpenat2(unix.AT_FDCWD, path, how) }
	require.Zero(t, ok(t, r, func(s *SQE) { open(s); s.SetFileIndex(3) }))
	require.Equal(t, int32(10), readSlot(3).Res)
	require.Zero(t, ok(t, r, func(s *SQE) { open(s); s.SetFileIndex(0) }))
	require.Equal(t, int32(10), readSlot(0).Res)
	require.Equal(t, int32(1), ok(t, r, func(s *SQE) { open(s); s.SetFileIndex(FileIndexAlloc) }))
	require.Equal(t, unix.ENFILE, errnoOf(do(t, r, func(s *SQE) { open(s); s.SetFileIndex(FileIndexAlloc) })))
	ok(t, r, func(s *SQE) { s.PrepCloseFixed(0) })
	require.Equal(t, unix.EBADF, errnoOf(readSlot(0)))
	if r.Features().Has(FixedInstall) {
		fd := int(ok(t, r, func(s *SQE) { s.PrepFixedInstall(1, false) }))
		require.Equal(t, "0123456789", read(t, fd, 20))
		require.NoError(t, unix.Close(fd))
	}
	require.NoError(t, r.UpdateFiles(2, -1, FileSkip))
	require.Equal(t, unix.EBADF, errnoOf(readSlot(2)))
	require.Equal(t, int32(10), readSlot(3).Res)
	require.NoError(t, r.UnregisterFiles())
}

func TestOpenAndReadInOneChain(t *testing.T) {
	r := newRing(t, Config{})
	require.NoError(t, r.RegisterFileTable(1))
	path := cstring(t, file(t, "chained").Name())
	how := one[unix.OpenHow](t)
	m := memory(t, 16)
	entry(t, r, 1, func(s *SQE) { s.PrepOpenat2(unix.AT_FDCWD, path, how); s.SetFileIndex(0); s.AddFlags(Link) })
	entry(t, r, 2, func(s *SQE) { s.PrepRead(0, m[:7], 0, 0); s.AddFlags(FixedFile | Link) })
	entry(t, r, 3, func(s *SQE) { s.PrepCloseFixed(0) })
	for want := uint64(1); want <= 3; want++ {
		c := next(t, r)
		require.Equal(t, want, c.UserData)
		require.Zero(t, c.Errno())
	}
	require.Equal(t, "chained", string(m[:7]))
}

func TestPathOperations(t *testing.T) {
	r := newRing(t, Config{})
	dir, err := os.Open(t.TempDir())
	require.NoError(t, err)
	defer func() { _ = dir.Close() }()
	d := int(dir.Fd())
	a, b, c, sub := cstring(t, "a"), cstring(t, "b"), cstring(t, "c"), cstring(t, "sub")
	how := one[unix.OpenHow](t)
	how.Flags, how.Mode = unix.O_CREAT|unix.O_RDWR|unix.O_CLOEXEC|unix.O_EXCL, 0o640
	fd := int(ok(t, r, func(s *SQE) { s.PrepOpenat2(d, a, how) }))
	require.Equal(t, unix.EEXIST, errnoOf(do(t, r, func(s *SQE) { s.PrepOpenat2(d, a, how) })))
	ok(t, r, func(s *SQE) { s.PrepFallocate(fd, 0, 0, 5000) })
	ok(t, r, func(s *SQE) { s.PrepFadvise(fd, 0, 4096, unix.FADV_WILLNEED) })
	size := uint64(5000)
	if r.Features().Has(Ftruncate) {
		size = 123
		ok(t, r, func(s *SQE) { s.PrepFtruncate(fd, size) })
	}
	ok(t, r, func(s *SQE) { s.PrepClose(fd) })
	ok(t, r, func(s *SQE) { s.PrepMkdirat(d, sub, 0o700) })
	ok(t, r, func(s *SQE) { s.PrepLinkat(d, a, d, b, 0) })
	ok(t, r, func(s *SQE) { s.PrepSymlinkat(a, d, c) })
	st := one[unix.Statx_t](t)
	ok(t, r, func(s *SQE) { s.PrepStatx(d, b, unix.AT_SYMLINK_NOFOLLOW, unix.STATX_BASIC_STATS, st) })
	require.Equal(t, size, st.Size)
	require.Equal(t, uint32(2), st.Nlink)
	require.Equal(t, unix.EEXIST, errnoOf(do(t, r, func(s *SQE) { s.PrepRenameat(d, c, d, b, unix.RENAME_NOREPLACE) })))
	ok(t, r, func(s *SQE) { s.PrepRenameat(d, c, d, b, 0) })
	target, err := os.Readlink(filepath.Join(dir.Name(), "b"))
	require.NoError(t, err)
	require.Equal(t, "a", target)
	ok(t, r, func(s *SQE) { s.PrepUnlinkat(d, a, 0) })
	ok(t, r, func(s *SQE) { s.PrepUnlinkat(d, sub, unix.AT_REMOVEDIR) })
	names, err := dir.Readdirnames(-1)
	require.NoError(t, err)
	require.Equal(t, []string{"b"}, names)
}

func TestSpliceFromFileThroughPipeToSocket(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		a, b := tcpPair(t)
		text := strings.Repeat("0123456789abcdef", 1024)
		f := file(t, "skipped"+text)
		var p [2]int
		require.NoError(t, unix.Pipe2(p[:], unix.O_CLOEXEC))
		closing(t, p[0])
		closing(t, p[1])
		require.NoError(t, r.RegisterFileTable(1))
		require.NoError(t, r.UpdateFiles(0, int32(f.Fd())))
		n := uint32(len(text))
		entry(t, r, 1, func(s *SQE) {
			s.PrepSplice(0, 7, p[1], CurrentOffset, n, SpliceInFixed)
			s.AddFlags(Link)
		})
		entry(t, r, 2, func(s *SQE) { s.PrepSplice(p[0], CurrentOffset, a, CurrentOffset, n, 0) })
		require.Equal(t, CQE{UserData: 1, Res: int32(n)}, next(t, r))
		require.Equal(t, CQE{UserData: 2, Res: int32(n)}, next(t, r))
		got := ""
		for len(got) < len(text) {
			got += read(t, b, len(text))
		}
		require.Equal(t, text, got)
	})
}

func TestTeeLeavesThePipeFull(t *testing.T) {
	r := newRing(t, Config{})
	need(t, r, Pipe)
	fds := one[[2]int32](t)
	var pipes [2][2]int
	for i := range pipes {
		ok(t, r, func(s *SQE) { s.PrepPipe(fds, unix.O_CLOEXEC) })
		pipes[i] = [2]int{int(fds[0]), int(fds[1])}
		closing(t, pipes[i][0])
		closing(t, pipes[i][1])
	}
	write(t, pipes[0][1], "twice")
	require.Equal(t, int32(5), ok(t, r, func(s *SQE) { s.PrepTee(pipes[0][0], pipes[1][1], 100, 0) }))
	require.Equal(t, "twice", read(t, pipes[0][0], 10))
	require.Equal(t, "twice", read(t, pipes[1][0], 10))
}

func TestPersonalityDecidesWhatMayBeOpened(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: to become somebody else")
	}
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		f := file(t, "x")
		for dir := filepath.Dir(f.Name()); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
			require.NoError(t, os.Chmod(dir, 0o755))
		}
		asNobody(t, func() { // this thread only
			p, err := r.RegisterPersonality()
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, r.UnregisterPersonality(p)) })
			require.Equal(t, Personality(1), p)
		})
		path, how := cstring(t, f.Name()), one[unix.OpenHow](t)
		how.Flags = unix.O_RDWR | unix.O_CLOEXEC
		open := func(p Personality) unix.Errno {
			c := do(t, r, func(s *SQE) { s.PrepOpenat2(unix.AT_FDCWD, path, how); s.SetPersonality(p) })
			if c.Res >= 0 {
				require.NoError(t, unix.Close(int(c.Res)))
			}
			return c.Errno()
		}
		require.NoError(t, f.Chmod(0o666))
		require.Zero(t, open(0))
		require.Zero(t, open(1))
		require.NoError(t, f.Chmod(0o600))
		require.Zero(t, open(0))
		require.Equal(t, unix.EACCES, open(1))
		require.Equal(t, unix.EINVAL, open(2), "was never registered")
	})
}

// asNobody runs f with another effective user on this thread alone; x/sys
// would change all threads.
func asNobody(t *testing.T, f func()) {
	t.Helper()
	set := func(uid int) {
		_, _, errno := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(uid), ^uintptr(0))
		require.Zero(t, errno)
	}
	set(65534)
	defer set(0)
	f()
}

func TestEventFDCountsCompletions(t *testing.T) {
	r := newRing(t, Config{})
	fd := eventFD(t)
	require.NoError(t, r.RegisterEventFD(fd))
	for range 3 {
		ok(t, r, (*SQE).PrepNop)
	}
	require.Equal(t, "\x03", read(t, fd, 8)[:1])
	require.NoError(t, r.UnregisterEventFD())
}

func TestCancelSyncWaitsUntilTheOperationIsOver(t *testing.T) {
	inEveryMode(t, Config{}, func(t *testing.T, r *Ring) {
		fd := eventFD(t)
		entry(t, r, 9, func(s *SQE) { s.PrepPollAdd(fd, unix.POLLIN, false) })
		_, err := r.Submit()
		require.NoError(t, err)
		found, err := r.CancelSync(9, Forever)
		require.NoError(t, err)
		require.True(t, found)
		require.Equal(t, CQE{UserData: 9, Res: -int32(unix.ECANCELED)}, next(t, r))
		found, err = r.CancelSync(9, Forever)
		require.NoError(t, err)
		require.False(t, found)
	})
}
