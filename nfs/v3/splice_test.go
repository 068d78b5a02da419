package v3

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// splicingFS is a fakeFS whose View can splice.
type splicingFS struct {
	*fakeFS
	view splicingView
}

func (f *splicingFS) View(*vfs.Thread) (vfs.View, error) {
	f.view.able.Splice = &f.view
	return &f.view, nil
}

type splicingView struct {
	*fakeView
	splices  int
	spliceSt []vfs.Status // of the next ones; OK behind them
	short    int          // bytes fewer than there are
}

func (v *splicingView) Splice(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.SpliceArgs,
	a *vfs.Attr,
) (int, bool, vfs.Status) {
	off, n, p := r.Off, r.N, r.To
	v.splices++
	if len(v.spliceSt) > 0 {
		st := v.spliceSt[0]
		if v.spliceSt = v.spliceSt[1:]; st != vfs.OK {
			if st != vfs.Again && !v.bare {
				*a = v.attr
			}
			return 0, false, st
		}
	}
	b := make([]byte, n)
	m, eof, st := v.Read(c, h, &vfs.ReadArgs{Off: off, Dst: b}, a)
	if m > v.short {
		m -= v.short
		eof = eof && v.short == 0
	}
	if st == vfs.OK && m > 0 {
		if w, err := unix.Write(p.WriteFD, b[:m]); w != m || err != nil {
			panic("the pipe has no room")
		}
	}
	return m, eof, st
}

// lender lends one pipe for from bytes or more.
type lender struct {
	t    *testing.T
	pipe vfs.Pipe
	from int
	lent int
}

func (l *lender) Pipe(n int) *vfs.Pipe {
	if n < l.from || n > l.pipe.Room {
		return nil
	}
	l.lent++
	return &l.pipe
}

func (l *lender) empty() []byte {
	b := make([]byte, l.pipe.Room)
	n, err := unix.Read(l.pipe.ReadFD, b)
	if err == unix.EAGAIN {
		return nil
	}
	require.NoError(l.t, err)
	return b[:n]
}

func splicingRig(t *testing.T) (*rig, *splicingFS, *lender) {
	f := &splicingFS{fakeFS: newFake()}
	f.view.fakeView = &f.fakeFS.view
	r := newRig(t, Config{}, export.Export{Path: "/x", FS: f})
	l := &lender{t: t, from: 1}
	var fds [2]int
	require.NoError(t, unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK))
	t.Cleanup(func() {
		_ = unix.Close(fds[0])
		_ = unix.Close(fds[1])
	})
	l.pipe = vfs.Pipe{ReadFD: fds[0], WriteFD: fds[1], Room: 64 << 10}
	return r, f, l
}

// read calls READ with a pipe to lend and returns the results in one piece.
func (l *lender) read(r *rig, off uint64, count uint32) (rpc.Outcome, []byte) {
	c := &r.call
	c.Reset()
	c.Place, c.Peer = &r.places[r.place], r.peer
	require.NoError(
		l.t,
		r.server.Parse(c, r.record(nfs3.NFSPROC3_READ, on(r.root(0)).u64(off).u32(count).b), nil),
	)
	c.Pipes = l
	c.Reply.Reset(r.reply)
	out := r.server.RunSettled(c)
	if out != rpc.Done {
		require.Zero(l.t, c.Tail)
		require.Empty(l.t, l.empty())
		return out, nil
	}
	b := append([]byte(nil), c.Reply.Bytes()...)
	require.Zero(l.t, binary.BigEndian.Uint32(b[20:]))
	inside := l.empty()
	if c.Tail.Pipe == nil {
		require.Empty(l.t, inside)
		return out, b[acceptedLen:]
	}
	require.Same(l.t, &l.pipe, c.Tail.Pipe)
	require.Len(l.t, inside, c.Tail.Len)
	require.Equal(l.t, -c.Tail.Len&3, c.Tail.Pad)
	return out, append(append(b[acceptedLen:], inside...), make([]byte, c.Tail.Pad)...)
}

func TestSplicedReadIsTheReplyThatACopyIs(t *testing.T) {
	r, f, l := splicingRig(t)
	f.view.content = pattern(40_000)
	f.view.attr.Size = 40_000
	for _, bare := range []bool{false, true} {
		f.view.bare, f.view.attrSt = bare, vfs.OK
		if bare {
			f.view.attrSt = vfs.IO
		}
		for _, off := range []uint64{0, 1, 20_000, 39_999, 40_000, 50_000} {
			for _, count := range []uint32{1, 2, 3, 4, 4096, 20_001, 60_000} {
				before := f.view.splices
				_, got := l.read(r, off, count)
				require.Equal(t, before+1, f.view.splices)
				want := r.raw(nfs3.NFSPROC3_READ, on(r.root(0)).u64(off).u32(count).b)
				require.Equal(t, want, got, "%d at %d", count, off)
			}
		}
	}
}

func TestShortSpliceIsAShortRead(t *testing.T) {
	r, f, l := splicingRig(t)
	f.view.content, f.view.short = pattern(10_000), 3
	_, b := l.read(r, 0, 20_000)
	res := decode(t, nfs3.NFSPROC3_READ, b).(*nfs3.READ3res)
	require.EqualValues(t, 9997, res.Resok.Count)
	require.Equal(t, f.view.content[:9997], res.Resok.Data)
	require.False(t, res.Resok.Eof)
}

func TestFailedSpliceIsAFailedReadWithoutATail(t *testing.T) {
	r, f, l := splicingRig(t)
	for _, st := range []vfs.Status{vfs.Access, vfs.IO, vfs.Stale, vfs.IsDir, vfs.Inval} {
		f.view.spliceSt, f.view.st = []vfs.Status{st}, st
		_, got := l.read(r, 0, 5000)
		require.Equal(t, r.raw(nfs3.NFSPROC3_READ, on(r.root(0)).u64(0).u32(5000).b), got)
	}
	require.Equal(t, 5, l.lent)
}

func TestSpliceThatWouldWaitIsDoneByAWorker(t *testing.T) {
	r, f, l := splicingRig(t)
	f.view.content = pattern(10_000)
	f.view.spliceSt = []vfs.Status{vfs.Again}
	r.place = 0
	out, _ := l.read(r, 0, 10_000)
	require.Equal(t, rpc.Wait, out)
	r.place = 1
	_, b := l.read(r, 0, 10_000)
	require.Equal(t, f.view.content, decode(t, nfs3.NFSPROC3_READ, b).(*nfs3.READ3res).Resok.Data)
	require.Equal(t, 2, f.view.splices)
}

func TestReadIsCopiedWhereSpliceIsNotPossible(t *testing.T) {
	r, f, l := splicingRig(t)
	f.view.content = pattern(10_000)
	f.view.spliceSt = []vfs.Status{vfs.NotSupp}
	_, b := l.read(r, 0, 10_000)
	require.Equal(t, f.view.content, decode(t, nfs3.NFSPROC3_READ, b).(*nfs3.READ3res).Resok.Data)
	// There is no pipe for that many bytes; or there is one, and the back end cannot splice.
	l.from = 20_000
	_, b = l.read(r, 0, 10_000)
	require.Equal(t, f.view.content, decode(t, nfs3.NFSPROC3_READ, b).(*nfs3.READ3res).Resok.Data)
	require.Equal(t, 1, f.view.splices)
	r, plain := fakeRig(t, export.Options{})
	plain.view.content, l.from = f.view.content, 1
	_, b = l.read(r, 0, 10_000)
	require.Equal(t, f.view.content, decode(t, nfs3.NFSPROC3_READ, b).(*nfs3.READ3res).Resok.Data)
}
