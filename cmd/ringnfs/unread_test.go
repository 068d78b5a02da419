package main

import (
	"os"
	"os/exec"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// unread returns the writing end of a pipe that is full and that nobody reads.
func unread(t *testing.T) *os.File {
	t.Helper()
	var fds [2]int
	require.NoError(t, syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK))
	t.Cleanup(func() { assert.NoError(t, syscall.Close(fds[0])) })
	for full := make([]byte, 4096); ; {
		if _, err := syscall.Write(fds[1], full); err != nil {
			require.ErrorIs(t, err, syscall.EAGAIN)
			break
		}
	}
	require.NoError(t, syscall.SetNonblock(fds[1], false))
	w := os.NewFile(uintptr(fds[1]), "pipe")
	t.Cleanup(func() { assert.NoError(t, w.Close()) })
	return w
}

func TestALogThatNobodyReadsHoldsNothingUp(t *testing.T) {
	dir := t.TempDir()
	p := serveBy(t, func(c *exec.Cmd) { c.Stderr = unread(t) },
		"--state-dir", t.TempDir(), "--port", "0", "--portmap", "off", dir)
	addr := "127.0.0.1:" + p.port(t)
	for range 12 { // more than there are lanes and workers
		_, st := nfstest.Mount(nfstest.Dial(t, addr), "/nothing") // which is logged
		require.Equal(t, mount3.MNT3ERR_NOENT, st)
	}
	for range 9 {
		_, st := nfstest.Mount(nfstest.Dial(t, addr), dir)
		require.Equal(t, mount3.MNT3_OK, st)
	}
	require.Zero(t, p.end(t, syscall.SIGTERM))
}

// TestAServerOutlivesWhoeverReadsItsLog: the reader is tee, for example, which Ctrl-C ends first.
// Everybody who can reach the port can cause a line.
func TestAServerOutlivesWhoeverReadsItsLog(t *testing.T) {
	gone, w, err := os.Pipe()
	require.NoError(t, err)
	t.Cleanup(func() { assert.NoError(t, w.Close()) })
	dir := t.TempDir()
	p := serveBy(t, func(c *exec.Cmd) { c.Stderr = w },
		"--state-dir", t.TempDir(), "--port", "0", "--portmap", "off", dir)
	require.NoError(t, gone.Close())
	for range 2 {
		_, st := nfstest.Mount(nfstest.Dial(t, "127.0.0.1:"+p.port(t)), "/nothing") // which is logged
		require.Equal(t, mount3.MNT3ERR_NOENT, st)
	}
	assert.Zero(t, p.end(t, syscall.SIGTERM), "it drains: %v", p.cmd.ProcessState)
}
