package endtoend

import (
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// ownFS is an embedder's back end with a fault: its Views are memfs's, overridden.
type ownFS struct {
	vfs.FS
	override func(vfs.View) vfs.View
}

func (f *ownFS) View(t *vfs.Thread) (vfs.View, error) {
	v, err := f.FS.View(t)
	if err != nil {
		return nil, err
	}
	return f.override(v), nil
}

// longReader says that it has read more than there was room for.
type longReader struct{ vfs.View }

func (v *longReader) Read(c *vfs.Cred, h vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (int, bool, vfs.Status) {
	off, dst := r.Off, r.Dst
	n, _, s := v.View.Read(c, h, &vfs.ReadArgs{Off: off, Dst: dst}, a)
	if s != vfs.OK {
		return n, false, s
	}
	return len(dst) + 4000, false, vfs.OK
}

// wideReader writes to the memory behind dst, as far as the slice it gets reaches.
type wideReader struct {
	vfs.View
	reached chan int
}

func (v *wideReader) Read(_ *vfs.Cred, _ vfs.Handle, r *vfs.ReadArgs, _ *vfs.Attr) (int, bool, vfs.Status) {
	dst := r.Dst
	v.reached <- cap(dst) - len(dst)
	return 0, true, vfs.OK
}

// strange returns a status that package vfs does not know.
type strange struct{ vfs.View }

func (strange) Access(*vfs.Cred, vfs.Handle, vfs.Permission, *vfs.Attr) (vfs.Permission, vfs.Status) {
	return 0, 200
}

// panicker panics.
type panicker struct{ vfs.View }

func (panicker) Access(*vfs.Cred, vfs.Handle, vfs.Permission, *vfs.Attr) (vfs.Permission, vfs.Status) {
	panic("the back end's own mistake")
}

// serveOwn serves a back end in memory whose Views are overridden.
func serveOwn(t *testing.T, log *slog.Logger, override func(vfs.View) vfs.View) *testServer {
	t.Helper()
	noLeaks(t)
	cfg := config(t, "/own")
	cfg.Log = log
	cfg.Exports = []nfs.Export{
		{Dir: "/own", Squash: nfs.SquashNone, FS: &ownFS{FS: memfs.New(memfs.Config{}), override: override}},
	}
	return start(t, cfg)
}

func TestABackEndThatBreaksItsContractFailsThatCallAndIsLogged(t *testing.T) {
	for _, x := range []struct {
		name, method, breach string
		override             func(vfs.View) vfs.View
		call                 func(c *nfstest.Client, f fh) nfs3.Nfsstat3
	}{
		{
			"more read than fits", "method=Read", "returned 4100 bytes where there could be 0 to 100",
			func(v vfs.View) vfs.View { return &longReader{v} },
			func(c *nfstest.Client, f fh) nfs3.Nfsstat3 { return c.Read(f, 0, 100).Status },
		},
		{
			"an unknown status", "method=Access", "returned status 200",
			func(v vfs.View) vfs.View { return strange{v} },
			func(c *nfstest.Client, f fh) nfs3.Nfsstat3 { return c.Access(f, nfs3.ACCESS3_READ).Status },
		},
	} {
		t.Run(x.name, func(t *testing.T) {
			log := new(logged)
			s := serveOwn(t, log.logger(), x.override)
			c, root := s.mount()
			f := put(t, c, root, "file", make([]byte, 100))
			for range 50 {
				require.Equal(t, nfs3.NFS3ERR_SERVERFAULT, x.call(c, f))
			}
			require.EqualValues(t, 100, getattr(t, c, f).Size, "other calls are answered")
			require.Len(
				t,
				log.lines("level=ERROR", "export=/own", x.method, x.breach),
				1,
				"logged once, however often it happens",
			)
		})
	}
}

func TestABackEndGetsNoMemoryBehindTheBuffer(t *testing.T) {
	reached := make(chan int, 1)
	s := serveOwn(t, nil, func(v vfs.View) vfs.View { return &wideReader{v, reached} })
	c, root := s.mount()
	f := put(t, c, root, "file", make([]byte, 100))
	ok(t, c.Read(f, 0, 10).Status)
	require.Zero(t, <-reached)
}

// TestAPanicOfABackEndIsLoggedWithoutALog: a program that sets no Log hears of the panic by its own
// log.
func TestAPanicOfABackEndIsLoggedWithoutALog(t *testing.T) {
	log, before := new(logged), slog.Default()
	slog.SetDefault(log.logger())
	defer slog.SetDefault(before)
	s := serveOwn(t, nil, func(v vfs.View) vfs.View { return panicker{v} })
	c, root := s.mount()
	args := nfstest.Bytes(t, &nfs3.ACCESS3args{Object: root, Access: nfs3.ACCESS3_READ})
	for range 50 {
		require.EqualValues(t, rpctest.SystemErr, c.Raw(nfs3.NFS_PROGRAM, 3, 4, args).Accept)
	}
	ok(t, c.Getattr(root).Status)
	require.Len(t, log.lines("level=ERROR", "the back end's own mistake", "foreign_test.go"), 1)
}
