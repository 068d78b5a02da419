package nfs_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	nfs3 "github.com/ringnfs/ringnfs/nfs/v3"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// serveFaulty serves a file system in memory that fails on request.
func serveFaulty(t testing.TB) (*testServer, *faultfs.FS) {
	t.Helper()
	noLeaks(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := faultfs.Wrap(memfs.New(memfs.Config{Mode: 0o777}), seed)
	cfg := config(t, "/faulty")
	cfg.Exports = []nfs.Export{{Dir: "/faulty", FS: f, Squash: export.SquashNone}}
	return start(t, cfg), f
}

// change is a call that must not be carried out twice.
type change struct {
	name   string
	proc   uint32
	args   func() nfstest.Encoder
	second nfs3.Nfsstat3 // what carrying it out twice would answer
	other  func() nfstest.Encoder
}

// changes are made in dir, whose entries "file", "victim", "from", "empty",
// "empty2" are there and guarded by guard.
func changes(dir, file fh, guard nfs3.Nfstime3) []change {
	at := func(name string) nfs3.Diropargs3 { return nfstest.At(dir, name) }
	args := func(e nfstest.Encoder) func() nfstest.Encoder { return func() nfstest.Encoder { return e } }
	return []change{
		{"SETATTR with a guard", nfstest.Setattr,
			args(&nfs3.SETATTR3args{Object: file, NewAttributes: nfstest.Mode(0o600), Guard: nfs3.Sattrguard3{Check: true, ObjCtime: guard}}),
			nfs3.NFS3ERR_NOT_SYNC,
			args(&nfs3.SETATTR3args{Object: file, NewAttributes: nfstest.Mode(0o640)})},
		{"CREATE GUARDED", nfstest.Create,
			args(&nfs3.CREATE3args{Where: at("created"), How: nfs3.Createhow3{Mode: nfs3.GUARDED}}),
			nfs3.NFS3ERR_EXIST,
			args(&nfs3.CREATE3args{Where: at("create2"), How: nfs3.Createhow3{Mode: nfs3.GUARDED}})},
		{"CREATE EXCLUSIVE", nfstest.Create,
			args(&nfs3.CREATE3args{Where: at("exclusive"), How: nfs3.Createhow3{Mode: nfs3.EXCLUSIVE, Verf: nfs3.Createverf3{1, 2}}}),
			nfs3.NFS3_OK,
			args(&nfs3.CREATE3args{Where: at("exclusiv2"), How: nfs3.Createhow3{Mode: nfs3.EXCLUSIVE, Verf: nfs3.Createverf3{1, 2}}})},
		{"MKDIR", nfstest.Mkdir,
			args(&nfs3.MKDIR3args{Where: at("directory"), Attributes: nfstest.Mode(0o755)}), nfs3.NFS3ERR_EXIST,
			args(&nfs3.MKDIR3args{Where: at("director2"), Attributes: nfstest.Mode(0o755)})},
		{"SYMLINK", nfstest.Symlink,
			args(&nfs3.SYMLINK3args{Where: at("link"), Symlink: nfs3.Symlinkdata3{SymlinkData: []byte("x")}}), nfs3.NFS3ERR_EXIST,
			args(&nfs3.SYMLINK3args{Where: at("lin2"), Symlink: nfs3.Symlinkdata3{SymlinkData: []byte("x")}})},
		{"MKNOD", nfstest.Mknod,
			args(&nfs3.MKNOD3args{Where: at("fifo"), What: nfs3.Mknoddata3{Type: nfs3.NF3FIFO}}), nfs3.NFS3ERR_EXIST,
			args(&nfs3.MKNOD3args{Where: at("fif2"), What: nfs3.Mknoddata3{Type: nfs3.NF3FIFO}})},
		{"LINK", nfstest.Link,
			args(&nfs3.LINK3args{File: file, Link: at("hard")}), nfs3.NFS3ERR_EXIST,
			args(&nfs3.LINK3args{File: file, Link: at("har2")})},
		{"RENAME", nfstest.Rename,
			args(&nfs3.RENAME3args{From: at("from"), To: at("to")}), nfs3.NFS3ERR_NOENT,
			args(&nfs3.RENAME3args{From: at("to"), To: at("from")})},
		{"REMOVE", nfstest.Remove,
			args(&nfs3.REMOVE3args{Object: at("victim")}), nfs3.NFS3ERR_NOENT,
			args(&nfs3.REMOVE3args{Object: at("create2")})},
		{"RMDIR", nfstest.Rmdir,
			args(&nfs3.RMDIR3args{Object: at("empty")}), nfs3.NFS3ERR_NOENT,
			args(&nfs3.RMDIR3args{Object: at("empty2")})},
	}
}

// prepare makes what changes expects.
func prepare(t *testing.T, c *nfstest.Client, dir fh) (file fh, guard nfs3.Nfstime3) {
	t.Helper()
	file = put(t, c, dir, "file", []byte("content"))
	put(t, c, dir, "victim", nil)
	put(t, c, dir, "from", nil)
	mkdir(t, c, dir, "empty", 0o755)
	mkdir(t, c, dir, "empty2", 0o755)
	return file, getattr(t, c, file).Ctime
}

func TestARetransmissionOnANewConnectionGetsTheFirstAnswer(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	file, guard := prepare(t, c, root)
	for _, ch := range changes(root, file, guard) {
		t.Run(ch.name, func(t *testing.T) {
			xid := nfstest.NewXID()
			first := s.dial().XID(xid)
			reply := first.Start(ch.proc, ch.args()).Reply()
			ok(t, statusOf(t, ch.proc, reply.Results))
			first.Reset()
			names := c.Names(root)
			for range 3 {
				again := s.dial().XID(xid)
				r := again.Start(ch.proc, ch.args()).Reply()
				require.Equal(t, reply, r, "byte for byte")
				require.Equal(t, names, c.Names(root), "done once")
				again.Close()
			}
			// On the same connection too, and by another caller's side not at all.
			twice := s.dial()
			require.Equal(t, reply, twice.XID(xid).Start(ch.proc, ch.args()).Reply())
			require.Equal(t, reply, twice.XID(xid).Start(ch.proc, ch.args()).Reply())
			elsewhere := nfstest.DialFrom(t, "127.0.0.9", s.addr())
			require.Equal(t, ch.second, status(t, elsewhere.XID(xid), ch.proc, ch.args()), "from another address")
			require.Equal(t, ch.second, status(t, twice, ch.proc, ch.args()), "with another XID")
			// A different call with the same XID is a call of its own.
			other := twice.XID(xid).Start(ch.proc, ch.other()).Reply()
			ok(t, statusOf(t, ch.proc, other.Results))
			require.NotEqual(t, names, append(c.Names(root), fmt.Sprint(getattr(t, c, file).Mode)))
			require.Equal(t, reply, twice.XID(xid).Start(ch.proc, ch.args()).Reply(), "the first is not forgotten")
		})
	}
}

func TestAFailureIsRetransmittedAsWell(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	x := c.XID(nfstest.NewXID())
	reply := x.Start(nfstest.Remove, &nfs3.REMOVE3args{Object: nfstest.At(root, "file")}).Reply()
	require.Equal(t, nfs3.NFS3ERR_NOENT, statusOf(t, nfstest.Remove, reply.Results))
	put(t, c, root, "file", nil)
	again := x.On(s.dial()).Start(nfstest.Remove, &nfs3.REMOVE3args{Object: nfstest.At(root, "file")}).Reply()
	require.Equal(t, reply, again)
	require.Equal(t, []string{"file"}, c.Names(root))
}

// The retransmission comes while the first call is still being carried out, on
// connections of which one is gone by then.
func TestARetransmissionWaitsForItsTwin(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	for _, firstLives := range []bool{true, false} {
		name := fmt.Sprintf("dir %v", firstLives)
		gate := faultfs.NewGate()
		t.Cleanup(gate.Open)
		rule := f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Mkdir}, Threads: faultfs.WorkerOnly, Gate: gate})
		before := f.Count(faultfs.Mkdir)
		xid := nfstest.NewXID()
		args := &nfs3.MKDIR3args{Where: nfstest.At(root, name)}
		first := s.dial().XID(xid)
		pending := []*nfstest.Pending{first.Start(nfstest.Mkdir, args)}
		<-gate.Entered()
		if !firstLives {
			first.Reset()
			pending = nil
		}
		for range 4 {
			again := s.dial()
			pending = append(pending, again.XID(xid).Start(nfstest.Mkdir, args))
			again.Null() // so the call before it has been received
		}
		gate.Open()
		var replies []rpctest.Reply
		for _, p := range pending {
			replies = append(replies, p.Reply())
		}
		for _, r := range replies {
			require.Equal(t, replies[0], r)
			ok(t, statusOf(t, nfstest.Mkdir, r.Results))
		}
		require.Equal(t, before+1, f.Count(faultfs.Mkdir), "carried out once")
		require.Contains(t, c.Names(root), name)
		rule.Remove()
	}
}

// Calls that differ late in long arguments, or only in who makes them, are
// different calls.
func TestDifferentCallsWithTheSameXIDAreToldApart(t *testing.T) {
	needRoot(t)
	s, _ := serveDir(t)
	c, root := s.mount()
	long := strings.Repeat("n", 250)
	put(t, c, root, long+"1", []byte("content"))
	xid := nfstest.NewXID()
	rename := func(from, to string) nfs3.Nfsstat3 {
		return s.dial().XID(xid).Rename(root, long+from, root, long+to).Status
	}
	ok(t, rename("1", "2"))
	require.Equal(t, nfs3.NFS3ERR_NOENT, rename("1", "3"), "another target")
	require.Equal(t, []string{long + "2"}, c.Names(root))
	ok(t, rename("1", "2"), "the first one again")
	ok(t, c.Remove(root, long+"2").Status)

	target := strings.Repeat("t", 4000)
	link := func(to string) nfs3.Nfsstat3 { return s.dial().XID(xid).Symlink(root, "link", target+to).Status }
	ok(t, link("1"))
	require.Equal(t, nfs3.NFS3ERR_EXIST, link("2"), "another target")
	ok(t, link("1"), "the first one again")
	ok(t, c.Remove(root, "link").Status)

	d := mkdir(t, c, root, "dir", 0o755)
	ok(t, c.Setattr(d, nfstest.Owner(alice, alice), nil).Status)
	ok(t, s.dial().As(alice, alice).XID(xid).Mkdir(d, "sub", nfs3.Sattr3{}).Status)
	require.Equal(t, nfs3.NFS3ERR_EXIST, s.dial().XID(xid).Mkdir(d, "sub", nfs3.Sattr3{}).Status, "root")
	require.Contains(t, []nfs3.Nfsstat3{nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_ACCES},
		s.dial().As(bob, bob).XID(xid).Mkdir(d, "sub", nfs3.Sattr3{}).Status, "another user")
	ok(t, s.dial().As(alice, alice).XID(xid).Mkdir(d, "sub", nfs3.Sattr3{}).Status, "the first one again")
}
