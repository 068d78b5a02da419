package endtoend

import (
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// serveFaulty serves a file system in memory that fails on request.
func serveFaulty(t testing.TB, change ...func(*nfs.Config)) (*testServer, *faultfs.FS) {
	t.Helper()
	noLeaks(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := faultfs.Wrap(memfs.New(memfs.Config{Mode: 0o777}), seed)
	cfg := config(t, "/faulty")
	cfg.Exports = []nfs.Export{{Dir: "/faulty", FS: f, Squash: export.SquashNone}}
	for _, g := range change {
		g(&cfg)
	}
	return start(t, cfg), f
}

// change is a call that must not run twice.
type change struct {
	name   string
	proc   uint32
	args   func() nfstest.Encoder
	second nfs3.Nfsstat3 // the status that a second run would have
	other  func() nfstest.Encoder
}

// changes are made in dir. Its entries "file", "victim", "from", "empty" and "empty2" exist,
// guarded by guard.
func changes(dir, file fh, guard nfs3.Nfstime3) []change {
	at := func(name string) nfs3.Diropargs3 { return nfstest.At(dir, name) }
	args := func(e nfstest.Encoder) func() nfstest.Encoder { return func() nfstest.Encoder { return e } }
	return []change{
		{"SETATTR with a guard", nfs3.NFSPROC3_SETATTR,
			args(
				&nfs3.SETATTR3args{
					Object:        file,
					NewAttributes: nfstest.Mode(0o600),
					Guard:         nfs3.Sattrguard3{Check: true, ObjCtime: guard},
				},
			),
			nfs3.NFS3ERR_NOT_SYNC,
			args(&nfs3.SETATTR3args{Object: file, NewAttributes: nfstest.Mode(0o640)})},
		{"CREATE GUARDED", nfs3.NFSPROC3_CREATE,
			args(&nfs3.CREATE3args{Where: at("created"), How: nfs3.Createhow3{Mode: nfs3.GUARDED}}),
			nfs3.NFS3ERR_EXIST,
			args(&nfs3.CREATE3args{Where: at("create2"), How: nfs3.Createhow3{Mode: nfs3.GUARDED}})},
		{"CREATE EXCLUSIVE", nfs3.NFSPROC3_CREATE,
			args(
				&nfs3.CREATE3args{
					Where: at("exclusive"),
					How:   nfs3.Createhow3{Mode: nfs3.EXCLUSIVE, Verf: nfs3.Createverf3{1, 2}},
				},
			),
			nfs3.NFS3_OK,
			args(
				&nfs3.CREATE3args{
					Where: at("exclusiv2"),
					How:   nfs3.Createhow3{Mode: nfs3.EXCLUSIVE, Verf: nfs3.Createverf3{1, 2}},
				},
			)},
		{"MKDIR", nfs3.NFSPROC3_MKDIR,
			args(
				&nfs3.MKDIR3args{Where: at("directory"), Attributes: nfstest.Mode(0o755)},
			), nfs3.NFS3ERR_EXIST,
			args(&nfs3.MKDIR3args{Where: at("director2"), Attributes: nfstest.Mode(0o755)})},
		{"SYMLINK", nfs3.NFSPROC3_SYMLINK,
			args(
				&nfs3.SYMLINK3args{Where: at("link"), Symlink: nfs3.Symlinkdata3{SymlinkData: []byte("x")}},
			), nfs3.NFS3ERR_EXIST,
			args(
				&nfs3.SYMLINK3args{Where: at("lin2"), Symlink: nfs3.Symlinkdata3{SymlinkData: []byte("x")}},
			)},
		{"MKNOD", nfs3.NFSPROC3_MKNOD,
			args(
				&nfs3.MKNOD3args{Where: at("fifo"), What: nfs3.Mknoddata3{Type: nfs3.NF3FIFO}},
			), nfs3.NFS3ERR_EXIST,
			args(&nfs3.MKNOD3args{Where: at("fif2"), What: nfs3.Mknoddata3{Type: nfs3.NF3FIFO}})},
		{"LINK", nfs3.NFSPROC3_LINK,
			args(&nfs3.LINK3args{File: file, Link: at("hard")}), nfs3.NFS3ERR_EXIST,
			args(&nfs3.LINK3args{File: file, Link: at("har2")})},
		{"RENAME", nfs3.NFSPROC3_RENAME,
			args(&nfs3.RENAME3args{From: at("from"), To: at("to")}), nfs3.NFS3ERR_NOENT,
			args(&nfs3.RENAME3args{From: at("to"), To: at("from")})},
		{"REMOVE", nfs3.NFSPROC3_REMOVE,
			args(&nfs3.REMOVE3args{Object: at("victim")}), nfs3.NFS3ERR_NOENT,
			args(&nfs3.REMOVE3args{Object: at("create2")})},
		{"RMDIR", nfs3.NFSPROC3_RMDIR,
			args(&nfs3.RMDIR3args{Object: at("empty")}), nfs3.NFS3ERR_NOENT,
			args(&nfs3.RMDIR3args{Object: at("empty2")})},
	}
}

// prepare makes the entries that changes expects.
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
				again.Reset()
			}
			// Repeat the call on one connection, too. By another caller it is a call of its own.
			twice := s.dial()
			require.Equal(t, reply, twice.XID(xid).Start(ch.proc, ch.args()).Reply())
			require.Equal(t, reply, twice.XID(xid).Start(ch.proc, ch.args()).Reply())
			elsewhere := nfstest.DialFrom(t, "127.0.0.9", s.addr())
			require.Equal(
				t,
				ch.second,
				status(t, elsewhere.XID(xid), ch.proc, ch.args()),
				"from another address",
			)
			require.Equal(t, ch.second, status(t, twice, ch.proc, ch.args()), "with another XID")
			// A different call with the same XID is a call of its own.
			other := twice.XID(xid).Start(ch.proc, ch.other()).Reply()
			ok(t, statusOf(t, ch.proc, other.Results))
			require.NotEqual(t, names, append(c.Names(root), fmt.Sprint(getattr(t, c, file).Mode)))
			require.Equal(
				t,
				reply,
				twice.XID(xid).Start(ch.proc, ch.args()).Reply(),
				"the first is not forgotten",
			)
		})
	}
}

func TestAFailureIsRetransmittedAsWell(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	x := s.dial().XID(nfstest.NewXID())
	reply := x.Start(nfs3.NFSPROC3_REMOVE, &nfs3.REMOVE3args{Object: nfstest.At(root, "file")}).Reply()
	require.Equal(t, nfs3.NFS3ERR_NOENT, statusOf(t, nfs3.NFSPROC3_REMOVE, reply.Results))
	x.Reset()
	put(t, c, root, "file", nil)
	again := x.On(
		s.dial(),
	).Start(
		nfs3.NFSPROC3_REMOVE,
		&nfs3.REMOVE3args{Object: nfstest.At(root, "file")},
	).Reply()
	require.Equal(t, reply, again)
	require.Equal(t, []string{"file"}, c.Names(root))
}

// The retransmissions come while the first call still runs, by the same connection, or by another
// one when that one is gone.
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
		call := rpctest.NewCall(
			xid,
			nfs3.NFS_PROGRAM,
			3,
			nfs3.NFSPROC3_MKDIR,
			nfstest.Bytes(t, &nfs3.MKDIR3args{Where: nfstest.At(root, name)}),
		).As(
			rpctest.Sys(0, 0),
		)
		from := dialRaw(t, s)
		from.send(call)
		<-gate.Entered()
		n := 20
		if firstLives {
			n++ // the first call is answered as well
		} else {
			from.reset()
			from = dialRaw(t, s)
		}
		for range 20 {
			from.send(call)
		}
		null := rpctest.NewCall(xid+1, nfs3.NFS_PROGRAM, 3, 0, nil)
		from.send(null)
		require.Equal(
			t,
			xid+1,
			binary.BigEndian.Uint32(from.receive()),
			"the calls before it have been received",
		)
		gate.Open()
		first := from.receive()
		for range n - 1 {
			require.Equal(t, first, from.receive())
		}
		r, err := rpctest.ParseReply(first)
		require.NoError(t, err)
		ok(t, statusOf(t, nfs3.NFSPROC3_MKDIR, r.Results))
		require.Equal(t, before+1, f.Count(faultfs.Mkdir), "carried out once")
		require.Contains(t, c.Names(root), name)
		rule.Remove()
	}
}

// rawConn is a connection by which a test sends the same call several times.
type rawConn struct {
	t  testing.TB
	nc net.Conn
}

func dialRaw(t testing.TB, s *testServer) *rawConn {
	t.Helper()
	nc, err := net.Dial("tcp", s.addr())
	require.NoError(t, err)
	t.Cleanup(func() { _ = nc.Close() })
	require.NoError(t, nc.SetDeadline(time.Now().Add(2*time.Minute)))
	return &rawConn{t, nc}
}

func (r *rawConn) send(c rpctest.Call) {
	r.t.Helper()
	_, err := r.nc.Write(c.Record())
	require.NoError(r.t, err)
}

// receive reads one reply, of one fragment.
func (r *rawConn) receive() []byte {
	r.t.Helper()
	b, err := r.read()
	require.NoError(r.t, err)
	return b
}

func (r *rawConn) read() ([]byte, error) {
	var h [4]byte
	if _, err := io.ReadFull(r.nc, h[:]); err != nil {
		return nil, err
	}
	b := make([]byte, binary.BigEndian.Uint32(h[:])&^(1<<31))
	_, err := io.ReadFull(r.nc, b)
	return b, err
}

func (r *rawConn) reset() {
	r.t.Helper()
	require.NoError(r.t, r.nc.(*net.TCPConn).SetLinger(0))
	require.NoError(r.t, r.nc.Close())
}

// A directory is a lock: the client that made it has the lock. Clients behind one address, and
// programs on one machine, choose their transaction ids independently.
func TestOfManyWhoMakeADirectoryOnlyOneHasIt(t *testing.T) {
	s, _ := serveDir(t)
	_, root := s.mount()
	for round := range 5 {
		var pending []*nfstest.Pending
		for range 4 {
			pending = append(
				pending,
				s.dial().XID(
					1,
				).Start(
					nfs3.NFSPROC3_MKDIR,
					&nfs3.MKDIR3args{Where: nfstest.At(root, fmt.Sprint("lock ", round))},
				),
			)
		}
		got := map[nfs3.Nfsstat3]int{}
		for _, p := range pending {
			got[statusOf(t, nfs3.NFSPROC3_MKDIR, p.Reply().Results)]++
		}
		require.Equal(t, map[nfs3.Nfsstat3]int{nfs3.NFS3_OK: 1, nfs3.NFS3ERR_EXIST: 3}, got)
	}
}

// A program that is started for each call begins with the same transaction id each time.
func TestAProgramForEachCallMayNumberItsCallsFromOne(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	program := func(f func(c *nfstest.Client) nfs3.Nfsstat3) nfs3.Nfsstat3 {
		one := s.dial()
		defer one.Close()
		return f(one.XID(1))
	}
	made := func(c *nfstest.Client) nfs3.Nfsstat3 { return c.Mkdir(root, "d", nfs3.Sattr3{}).Status }
	removed := func(c *nfstest.Client) nfs3.Nfsstat3 { return c.Rmdir(root, "d").Status }
	for range 20 {
		ok(t, program(made))
		require.Equal(t, []string{"d"}, c.Names(root))
		require.Equal(t, nfs3.NFS3ERR_EXIST, program(made))
		ok(t, program(removed))
		require.Empty(t, c.Names(root))
		require.Equal(t, nfs3.NFS3ERR_NOENT, program(removed))
	}
}

// The cache compares a caller's credential as a whole: machine, groups and stamp.
func TestCallersThatDifferInAnythingAreToldApart(t *testing.T) {
	s, _ := serveDir(t)
	_, root := s.mount()
	creds := []rpctest.Opaque{
		rpctest.Sys(0, 0),
		rpctest.Sys(0, 0, 7),
		rpctest.Sys(0, 0, 8),
		rpctest.Sys(0, 0, 7, 8),
	}
	other := rpctest.Sys(0, 0)
	other.Body = append([]byte{}, other.Body...)
	other.Body[3]++ // the stamp
	creds = append(creds, other)
	machine := rpctest.Sys(0, 0)
	machine.Body = append([]byte{}, machine.Body...)
	machine.Body[8] = 'C'
	creds = append(creds, machine)
	xid := nfstest.NewXID()
	for i, cred := range creds {
		for range 2 { // also a retransmission after a break is found
			c := s.dial().With(cred).XID(xid)
			want := nfs3.NFS3ERR_EXIST
			if i == 0 {
				want = nfs3.NFS3_OK
			}
			require.Equal(t, want, c.Mkdir(root, "d", nfs3.Sattr3{}).Status, "credential %d", i)
			c.Reset()
		}
	}
}

// Calls that differ late in long arguments, or only in their caller, are different calls.
func TestDifferentCallsWithTheSameXIDAreToldApart(t *testing.T) {
	needRoot(t)
	s, _ := serveDir(t)
	c, root := s.mount()
	long := strings.Repeat("n", 250)
	put(t, c, root, long+"1", []byte("content"))
	xid := nfstest.NewXID()
	// broken is a call by a connection that breaks.
	broken := func(f func(c *nfstest.Client) nfs3.Nfsstat3) nfs3.Nfsstat3 {
		one := s.dial()
		defer one.Reset()
		return f(one.XID(xid))
	}
	rename := func(from, to string) nfs3.Nfsstat3 {
		return broken(
			func(c *nfstest.Client) nfs3.Nfsstat3 { return c.Rename(root, long+from, root, long+to).Status },
		)
	}
	ok(t, rename("1", "2"))
	require.Equal(t, nfs3.NFS3ERR_NOENT, rename("1", "3"), "another target")
	require.Equal(t, []string{long + "2"}, c.Names(root))
	ok(t, rename("1", "2"), "the first one again")
	ok(t, c.Remove(root, long+"2").Status)

	target := strings.Repeat("t", 4000)
	link := func(to string) nfs3.Nfsstat3 {
		return broken(
			func(c *nfstest.Client) nfs3.Nfsstat3 { return c.Symlink(root, "link", target+to).Status },
		)
	}
	ok(t, link("1"))
	require.Equal(t, nfs3.NFS3ERR_EXIST, link("2"), "another target")
	ok(t, link("1"), "the first one again")
	ok(t, c.Remove(root, "link").Status)

	d := mkdir(t, c, root, "dir", 0o755)
	ok(t, c.Setattr(d, nfstest.Owner(alice, alice), nil).Status)
	asAlice := func(c *nfstest.Client) nfs3.Nfsstat3 { return c.As(alice, alice).Mkdir(d, "sub", nfs3.Sattr3{}).Status }
	ok(t, broken(asAlice))
	require.Equal(t, nfs3.NFS3ERR_EXIST, s.dial().XID(xid).Mkdir(d, "sub", nfs3.Sattr3{}).Status, "root")
	require.Contains(t, []nfs3.Nfsstat3{nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_ACCES},
		s.dial().As(bob, bob).XID(xid).Mkdir(d, "sub", nfs3.Sattr3{}).Status, "another user")
	ok(t, broken(asAlice), "the first one again")
}
