package main

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"testing"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// These tests show what happens to a WRITE that is received straight into a mapping of its file,
// and so why the server does not do it. docs/design/0010 refers to them.

var page = os.Getpagesize()

// newFile makes an open file of n bytes of 'o'.
func newFile(t *testing.T, dir string, n int) int {
	t.Helper()
	name := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(name, bytes.Repeat([]byte{'o'}, n), 0o644))
	fd, err := unix.Open(name, unix.O_RDWR|unix.O_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Close(fd)) })
	return fd
}

func mapOf(t *testing.T, fd, n int) []byte {
	t.Helper()
	m, err := unix.Mmap(fd, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, unix.Munmap(m)) })
	return m
}

// peer is a TCP connection: the socket of this side, and the sender.
func peer(t *testing.T) (fd int, from net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer ln.Close()
	from, err = net.Dial("tcp", ln.Addr().String())
	require.NoError(t, err)
	c, err := ln.Accept()
	require.NoError(t, err)
	f, err := c.(*net.TCPConn).File()
	require.NoError(t, err)
	require.NoError(t, c.Close())
	fd = int(f.Fd()) // blocking from here on
	t.Cleanup(func() { require.NoError(t, f.Close()); require.NoError(t, from.Close()) })
	return fd, from
}

// arrived sends data and waits until all of it can be received.
func arrived(t *testing.T, fd int, from net.Conn, data []byte) {
	t.Helper()
	_, err := from.Write(data)
	require.NoError(t, err)
	n, _, err := unix.Recvfrom(fd, make([]byte, len(data)), unix.MSG_PEEK|unix.MSG_WAITALL)
	require.NoError(t, err)
	require.Equal(t, len(data), n)
}

func content(t *testing.T, fd, n int) []byte {
	t.Helper()
	b := make([]byte, n)
	got, err := unix.Pread(fd, b, 0)
	require.NoError(t, err)
	return b[:got]
}

func TestAMappingCutBehindTheServersBack(t *testing.T) {
	fd := newFile(t, t.TempDir(), 2*page)
	m := mapOf(t, fd, 2*page)
	sock, from := peer(t)
	data := bytes.Repeat([]byte{'n'}, 2*page)
	arrived(t, sock, from, data)
	require.NoError(t, unix.Ftruncate(fd, 0))

	_, _, err := unix.Recvfrom(sock, m, 0)
	require.Equal(t, unix.EFAULT, err, "the kernel's copy fails without a signal")
	_, _, err = unix.Recvfrom(sock, m, 0)
	require.Equal(t, unix.EFAULT, err, "and the error says nothing about the file's new size")
	b := make([]byte, 2*page)
	n, _, err := unix.Recvfrom(sock, b, unix.MSG_WAITALL)
	require.NoError(t, err)
	require.True(t, bytes.Equal(data, b[:n]), "the bytes are still in the socket")

	touch := func() (v any) {
		defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
		defer func() { v = recover() }()
		m[0] = 1
		return nil
	}
	require.NotNil(t, touch(), "the process's own access is SIGBUS")
}

func TestAReceiveThatFailsHalfwayHasChangedTheFile(t *testing.T) {
	fd := newFile(t, t.TempDir(), 2*page)
	m := mapOf(t, fd, 2*page)
	sock, from := peer(t)
	arrived(t, sock, from, bytes.Repeat([]byte{'n'}, 2*page))
	require.NoError(t, unix.Ftruncate(fd, int64(page)))

	_, _, err := unix.Recvfrom(sock, m, 0)
	require.Equal(t, unix.EFAULT, err, "nothing has been received")
	require.True(t, bytes.Equal(bytes.Repeat([]byte{'n'}, page), content(t, fd, 2*page)), "but all of the file is new")
}

func TestBytesReceivedBehindTheEndOfAFileVanish(t *testing.T) {
	fd := newFile(t, t.TempDir(), 100)
	m := mapOf(t, fd, page)
	sock, from := peer(t)
	arrived(t, sock, from, bytes.Repeat([]byte{'n'}, 1000))

	n, _, err := unix.Recvfrom(sock, m[:1000], 0)
	require.NoError(t, err)
	require.Equal(t, 1000, n, "success")
	require.Len(t, content(t, fd, page), 100, "the size is what it was: 900 bytes are nowhere")
}

func TestHalfAWriteIsInTheFileBeforeItsEndHasCome(t *testing.T) {
	fd := newFile(t, t.TempDir(), 2*page)
	m := mapOf(t, fd, 2*page)
	sock, from := peer(t)
	arrived(t, sock, from, bytes.Repeat([]byte{'n'}, page))
	require.NoError(t, from.(*net.TCPConn).CloseWrite())

	n, _, err := unix.Recvfrom(sock, m, unix.MSG_WAITALL)
	require.NoError(t, err)
	require.Equal(t, page, n)
	want := slices.Concat(bytes.Repeat([]byte{'n'}, page), bytes.Repeat([]byte{'o'}, page))
	require.True(t, bytes.Equal(want, content(t, fd, 2*page)), "a call that was never made has changed the file")
}

// moved sets the time of modification back, calls do, and reports whether the time has moved.
func moved(t *testing.T, fd int, do func()) bool {
	t.Helper()
	then := unix.Timeval{Sec: 1_000_000_000}
	require.NoError(t, unix.Futimes(fd, []unix.Timeval{then, then}))
	do()
	var st unix.Stat_t
	require.NoError(t, unix.Fstat(fd, &st))
	return st.Mtim.Sec != then.Sec
}

func TestTheTimeOfModificationMovesWithFaultsOnly(t *testing.T) {
	fd := newFile(t, t.TempDir(), page)
	m := mapOf(t, fd, page)
	sock, from := peer(t)
	receive := func() {
		arrived(t, sock, from, bytes.Repeat([]byte{'n'}, page))
		_, _, err := unix.Recvfrom(sock, m, unix.MSG_WAITALL)
		require.NoError(t, err)
	}
	require.True(t, moved(t, fd, receive), "the first one takes a fault")
	// Writeback in between would protect the page again.
	still := slices.ContainsFunc(make([]int, 20), func(int) bool { return !moved(t, fd, receive) })
	require.True(t, still, "the second does not: other clients keep their stale caches")
	require.True(t, moved(t, fd, func() {
		_, err := unix.Pwrite(fd, m[:1], 0)
		require.NoError(t, err)
	}))
}

func TestSetuidOutlivesAReceiveButNotAWrite(t *testing.T) {
	fd := newFile(t, t.TempDir(), page)
	m := mapOf(t, fd, page)
	sock, from := peer(t)
	arrived(t, sock, from, bytes.Repeat([]byte{'n'}, page))
	require.NoError(t, unix.Fchmod(fd, 0o4755))
	mode := func() uint32 {
		var st unix.Stat_t
		require.NoError(t, unix.Fstat(fd, &st))
		return st.Mode & 0o7777
	}
	as := func(do func() error) {
		done := make(chan error)
		go func() {
			runtime.LockOSThread() // never unlocked: the thread ends with its identity
			if os.Geteuid() == 0 {
				if err := unix.Setfsuid(65534); err != nil {
					done <- err
					return
				}
			}
			done <- do()
		}()
		require.NoError(t, <-done)
	}
	as(func() error { _, _, err := unix.Recvfrom(sock, m, unix.MSG_WAITALL); return err })
	require.Equal(t, uint32(0o4755), mode())
	as(func() error { _, err := unix.Pwrite(fd, []byte{1}, 0); return err })
	require.Equal(t, uint32(0o755), mode())
}

// onMount runs f in a file system of its own, of 8 MiB.
func onMount(t *testing.T, kind string, f func(t *testing.T, dir string)) {
	t.Run(kind, func(t *testing.T) {
		if os.Geteuid() != 0 {
			t.Skip("needs root to mount")
		}
		dir := t.TempDir()
		mount := []string{"mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", dir}
		if kind != "tmpfs" {
			image := filepath.Join(t.TempDir(), "image")
			mkfs, err := exec.LookPath("mkfs." + kind)
			if err != nil {
				t.Skip("needs ", "mkfs.", kind)
			}
			require.NoError(t, os.WriteFile(image, nil, 0o600))
			require.NoError(t, os.Truncate(image, 8<<20))
			out, err := exec.Command(mkfs, "-q", image).CombinedOutput()
			require.NoError(t, err, "%s", out)
			mount = []string{"mount", "-o", "loop", image, dir}
		}
		if out, err := exec.Command(mount[0], mount[1:]...).CombinedOutput(); err != nil {
			t.Skipf("cannot mount here: %v: %s", err, out)
		}
		t.Cleanup(func() {
			out, err := exec.Command("umount", dir).CombinedOutput()
			require.NoError(t, err, "%s", out)
		})
		f(t, dir)
	})
}

func TestAHoleOnAFullDiskIsEFAULT(t *testing.T) {
	for _, kind := range []string{"tmpfs", "ext4"} {
		onMount(t, kind, func(t *testing.T, dir string) {
			fd := newFile(t, dir, 0)
			require.NoError(t, unix.Ftruncate(fd, int64(page)))
			m := mapOf(t, fd, page)
			sock, from := peer(t)
			data := bytes.Repeat([]byte{'n'}, page)
			arrived(t, sock, from, data)
			full, err := os.Create(filepath.Join(dir, "full"))
			require.NoError(t, err)
			for err == nil {
				_, err = full.Write(data)
			}
			require.ErrorIs(t, err, unix.ENOSPC)
			require.NoError(t, full.Close())

			_, err = unix.Pwrite(fd, data, 0)
			require.Equal(t, unix.ENOSPC, err, "a write says what is wrong")
			_, _, err = unix.Recvfrom(sock, m, 0)
			require.Equal(t, unix.EFAULT, err, "a receive does not")
			n, _, err := unix.Recvfrom(sock, make([]byte, page), 0)
			require.NoError(t, err)
			require.Equal(t, page, n, "the bytes are still in the socket")
		})
	}
}

func TestAReceiveThatMayNotWaitReadsFromTheDisc(t *testing.T) {
	fd := newFile(t, t.TempDir(), page)
	require.NoError(t, unix.Fsync(fd))
	m := mapOf(t, fd, page)
	sock, from := peer(t)
	arrived(t, sock, from, bytes.Repeat([]byte{'n'}, page/2))
	require.NoError(t, unix.Fadvise(fd, 0, 0, unix.FADV_DONTNEED))
	resident := make([]byte, 1)
	_, _, errno := unix.Syscall(unix.SYS_MINCORE, uintptr(unsafe.Pointer(&m[0])), uintptr(page), uintptr(unsafe.Pointer(&resident[0])))
	require.Zero(t, errno)
	if resident[0]&1 != 0 {
		t.Skip("needs a file system whose pages can be evicted")
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var before, after unix.Rusage
	require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &before))
	_, _, err := unix.Recvfrom(sock, m, unix.MSG_DONTWAIT)
	require.NoError(t, err)
	require.NoError(t, unix.Getrusage(unix.RUSAGE_THREAD, &after))
	require.Greater(t, after.Majflt, before.Majflt, "a fault that waits for the disc")
}
