package main

import (
	"os"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs/fusetest"
)

// TestASignalEndsAServerWhoseFileSystemIsInterruptedForEver uses a file system that answers every
// creation with EINTR. The calls end with an error that programs understand, and then the server
// ends, too. The number of attempts, not a clock, shows whether the server tries without end.
func TestASignalEndsAServerWhoseFileSystemIsInterruptedForEver(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: FUSE mounts")
	}
	const calls, triesMax = 4, 100 // of each call
	var tries atomic.Int64
	underWay, endless := make(chan struct{}), make(chan struct{})
	dir := t.TempDir()
	fusetest.Mount(t, dir, fusetest.Options{Links: 1, Create: func() unix.Errno {
		switch tries.Add(1) {
		case 1:
			close(underWay)
		case calls * triesMax:
			close(endless)
		}
		return unix.EINTR
	}})
	p := serve(t, "--port", "0", "--portmap", "off", "--squash", "none", "--listen", "127.0.0.1", dir)
	c := nfstest.Dial(t, "127.0.0.1:"+p.port(t))
	root, st := nfstest.Mount(c, dir)
	require.Equal(t, mount3.MNT3_OK, st)
	var waiting []*nfstest.Pending
	for i := range calls {
		waiting = append(waiting, c.Start(nfs3.NFSPROC3_CREATE, &nfs3.CREATE3args{
			Where: nfstest.At(root, string(rune('a'+i))), How: nfs3.Createhow3{Mode: nfs3.GUARDED},
		}))
	}
	<-underWay
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
	select {
	case <-p.ended:
	case <-endless:
		t.Fatalf("%d calls were tried %d times", calls, tries.Load())
	}
	assert.Zero(t, p.cmd.ProcessState.ExitCode(), p.stderr.String())
	assert.Contains(t, p.stderr.String(), "drained")
	answered := 0
	for _, w := range waiting {
		var res nfs3.CREATE3res
		if w.TryInto(&res) == nil { // it had come by the signal
			answered++
			assert.Equal(t, nfs3.NFS3ERR_IO, res.Status)
		}
	}
	assert.Positive(t, answered, "one was under way")
}
