package v3

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// procedures is the number of procedures.
const procedures = len(nfs3.NFSV3Names)

// codec has the methods of every generated type.
type codec interface {
	Encode(*xdr.Encoder)
	Decode(*xdr.Decoder)
}

// results makes a value of the generated result type of each procedure.
var results = [procedures]func() codec{
	nfs3.NFSPROC3_GETATTR:     func() codec { return new(nfs3.GETATTR3res) },
	nfs3.NFSPROC3_SETATTR:     func() codec { return new(nfs3.SETATTR3res) },
	nfs3.NFSPROC3_LOOKUP:      func() codec { return new(nfs3.LOOKUP3res) },
	nfs3.NFSPROC3_ACCESS:      func() codec { return new(nfs3.ACCESS3res) },
	nfs3.NFSPROC3_READLINK:    func() codec { return new(nfs3.READLINK3res) },
	nfs3.NFSPROC3_READ:        func() codec { return new(nfs3.READ3res) },
	nfs3.NFSPROC3_WRITE:       func() codec { return new(nfs3.WRITE3res) },
	nfs3.NFSPROC3_CREATE:      func() codec { return new(nfs3.CREATE3res) },
	nfs3.NFSPROC3_MKDIR:       func() codec { return new(nfs3.MKDIR3res) },
	nfs3.NFSPROC3_SYMLINK:     func() codec { return new(nfs3.SYMLINK3res) },
	nfs3.NFSPROC3_MKNOD:       func() codec { return new(nfs3.MKNOD3res) },
	nfs3.NFSPROC3_REMOVE:      func() codec { return new(nfs3.REMOVE3res) },
	nfs3.NFSPROC3_RMDIR:       func() codec { return new(nfs3.RMDIR3res) },
	nfs3.NFSPROC3_RENAME:      func() codec { return new(nfs3.RENAME3res) },
	nfs3.NFSPROC3_LINK:        func() codec { return new(nfs3.LINK3res) },
	nfs3.NFSPROC3_READDIR:     func() codec { return new(nfs3.READDIR3res) },
	nfs3.NFSPROC3_READDIRPLUS: func() codec { return new(nfs3.READDIRPLUS3res) },
	nfs3.NFSPROC3_FSSTAT:      func() codec { return new(nfs3.FSSTAT3res) },
	nfs3.NFSPROC3_FSINFO:      func() codec { return new(nfs3.FSINFO3res) },
	nfs3.NFSPROC3_PATHCONF:    func() codec { return new(nfs3.PATHCONF3res) },
	nfs3.NFSPROC3_COMMIT:      func() codec { return new(nfs3.COMMIT3res) },
}

// rig is a server of the program with two places, and one caller. Place 0 is a
// lane, place 1 a worker.
type rig struct {
	t      testing.TB
	table  *export.Table
	server *rpc.Server
	places [2]rpc.Place
	call   rpc.Call
	reply  []byte
	xid    uint32

	// Properties of the next call.
	place    int
	peer     netip.AddrPort
	origin   *rpc.Origin
	uid, gid uint32
	groups   []uint32
	segment  int // bytes in a received segment; 0: all in one
}

// replyMemory is what replies are encoded to. Tests run one after the other.
var replyMemory = make([]byte, 2<<20)

func newRig(t testing.TB, cfg Config, exports ...export.Export) *rig {
	t.Helper()
	r := &rig{
		t:     t,
		place: 1,
		peer:  netip.MustParseAddrPort("127.0.0.1:700"),
		uid:   1000, gid: 1000,
		reply: replyMemory,
	}
	table, err := export.NewTable(export.Key{1, 2, 3}, len(r.places), exports)
	require.NoError(t, err)
	r.table = table
	for i := range r.places {
		r.places[i] = rpc.Place{Index: i, Thread: &vfs.Thread{MayWait: i == 1}}
		require.NoError(t, table.Attach(i, r.places[i].Thread))
	}
	t.Cleanup(func() {
		for i := range r.places {
			table.Detach(i)
		}
		require.NoError(t, table.Close())
	})
	r.server = rpc.NewServer(New(table, cfg))
	r.server.OnPanic = func(_ *rpc.Call, v any, stack []byte) { r.t.Errorf("panic: %v\n%s", v, stack) }
	r.server.OnFault = func(_ *rpc.Call, err error) { r.t.Errorf("fault: %v", err) }
	return r
}

// root returns the wire handle of the i-th export's top directory.
func (r *rig) root(i int) []byte {
	x := r.table.Exports()[i]
	h := x.FS.Root()
	return r.table.Seal(x, &h, nil)
}

// wire seals a back end's handle for the first export.
func (r *rig) wire(h vfs.Handle) []byte { return r.table.Seal(r.table.Exports()[0], &h, nil) }

// record builds a call of proc with these arguments.
func (r *rig) record(proc int, args []byte) []byte {
	r.xid++
	be := binary.BigEndian
	var b []byte
	for _, v := range []uint32{r.xid, 0, 2, nfs3.NFS_PROGRAM, 3, uint32(proc), rpc.AuthSys, uint32(20 + 4*len(r.groups)), 7, 0, r.uid, r.gid, uint32(len(r.groups))} {
		b = be.AppendUint32(b, v)
	}
	for _, g := range r.groups {
		b = be.AppendUint32(b, g)
	}
	b = be.AppendUint64(b, 0) // AUTH_NONE verifier
	return append(b, args...)
}

// acceptedLen is the length of the header of an accepted reply.
const acceptedLen = 24

// run parses and runs a record on the rig's place. It returns the outcome, the
// acceptance status and the results, which are valid until the next run.
func (r *rig) run(record []byte, reply []byte) (rpc.Outcome, uint32, []byte) {
	c := &r.call
	c.Reset()
	c.Place = &r.places[r.place]
	c.Peer, c.Origin = r.peer, r.origin
	first, rest := record, [][]byte(nil)
	if r.segment > 0 {
		first, rest = cut(record, r.segment)
	}
	require.NoError(r.t, r.server.Parse(c, first, rest))
	c.Reply.Reset(reply)
	out := r.server.RunSettled(c)
	if out != rpc.Done {
		require.Zero(r.t, c.Reply.Len(), "nothing is encoded with outcome %d", out)
		return out, 0, nil
	}
	require.NoError(r.t, c.Reply.Err())
	b := c.Reply.Bytes()
	require.GreaterOrEqual(r.t, len(b), acceptedLen)
	require.Zero(r.t, len(b)%4, "a reply is a whole number of XDR units")
	return out, binary.BigEndian.Uint32(b[20:]), b[acceptedLen:]
}

// raw calls proc and returns the bare results. The call must be answered.
func (r *rig) raw(proc int, args []byte) []byte {
	r.t.Helper()
	out, accepted, b := r.run(r.record(proc, args), r.reply)
	require.Equal(r.t, rpc.Done, out)
	require.Zero(r.t, accepted, "the call is not accepted: %d", accepted)
	return b
}

// outcome calls proc and returns only the outcome.
func (r *rig) outcome(proc int, args []byte) rpc.Outcome {
	r.t.Helper()
	out, accepted, _ := r.run(r.record(proc, args), r.reply)
	if accepted == 4 {
		return rpc.GarbageArgs
	}
	return out
}

// decode takes results apart with the generated codec, which must leave nothing over and must
// encode the same bytes again.
func decode(t testing.TB, proc int, b []byte) codec {
	t.Helper()
	var d xdr.Decoder
	d.Reset(b)
	res := results[proc]()
	res.Decode(&d)
	require.NoError(t, d.Err(), "results of procedure %d: %x", proc, b)
	require.Zero(t, d.Left(), "bytes behind the results of procedure %d: %x", proc, b)
	var e xdr.Encoder
	e.Reset(make([]byte, len(b)))
	res.Encode(&e)
	require.NoError(t, e.Err())
	require.Equal(t, b, e.Bytes(), "the generated encoder disagrees about procedure %d", proc)
	return res
}

// do calls proc, which must be answered, and returns its results as T.
func do[T any](r *rig, proc int, a *args) *T {
	r.t.Helper()
	res, ok := any(decode(r.t, proc, append([]byte(nil), r.raw(proc, a.b)...))).(*T)
	require.True(r.t, ok)
	return res
}

// statusOf returns the status that results begin with.
func statusOf(b []byte) nfs3.Nfsstat3 { return nfs3.Nfsstat3(binary.BigEndian.Uint32(b)) }

// status calls proc and returns its status; the results must be well formed.
func (r *rig) status(proc int, a *args) nfs3.Nfsstat3 {
	r.t.Helper()
	b := r.raw(proc, a.b)
	decode(r.t, proc, b)
	return statusOf(b)
}

// cut divides a record into segments of n bytes each.
func cut(b []byte, n int) (first []byte, rest [][]byte) {
	for len(b) > n {
		rest = append(rest, b[:n:n])
		b = b[n:]
	}
	rest = append(rest, b)
	return rest[0], rest[1:]
}

// args builds arguments by hand, in the order of the protocol's text.
type args struct{ b []byte }

func on(fh []byte) *args { return new(args).opaque(fh) }

func (a *args) u32(v ...uint32) *args {
	for _, x := range v {
		a.b = binary.BigEndian.AppendUint32(a.b, x)
	}
	return a
}

func (a *args) u64(v ...uint64) *args {
	for _, x := range v {
		a.b = binary.BigEndian.AppendUint64(a.b, x)
	}
	return a
}

func (a *args) opaque(b []byte) *args {
	a.u32(uint32(len(b)))
	a.b = append(a.b, b...)
	for len(a.b)%4 != 0 {
		a.b = append(a.b, 0)
	}
	return a
}

func (a *args) str(s string) *args { return a.opaque([]byte(s)) }

// in names an entry of a directory.
func in(dir []byte, name string) *args { return on(dir).str(name) }

// keep is a sattr3 that sets nothing.
func (a *args) keep() *args { return a.u32(0, 0, 0, 0, 0, 0) }

// mode is a sattr3 that sets the mode.
func (a *args) mode(m uint32) *args { return a.u32(1, m, 0, 0, 0, 0, 0) }

// size is a sattr3 that sets the size.
func (a *args) size(n uint64) *args { return a.u32(0, 0, 0, 1).u64(n).u32(0, 0) }

// examples returns correct arguments of each procedure for this object and
// directory.
func examples(obj, dir []byte) [procedures]*args {
	return [procedures]*args{
		nfs3.NFSPROC3_NULL:        {},
		nfs3.NFSPROC3_GETATTR:     on(obj),
		nfs3.NFSPROC3_SETATTR:     on(obj).mode(0o600).u32(0),
		nfs3.NFSPROC3_LOOKUP:      in(dir, "name"),
		nfs3.NFSPROC3_ACCESS:      on(obj).u32(0x3f),
		nfs3.NFSPROC3_READLINK:    on(obj),
		nfs3.NFSPROC3_READ:        on(obj).u64(0).u32(100),
		nfs3.NFSPROC3_WRITE:       on(obj).u64(0).u32(5, 2).str("hello"),
		nfs3.NFSPROC3_CREATE:      in(dir, "name").u32(0).mode(0o644),
		nfs3.NFSPROC3_MKDIR:       in(dir, "name").mode(0o755),
		nfs3.NFSPROC3_SYMLINK:     in(dir, "name").keep().str("target"),
		nfs3.NFSPROC3_MKNOD:       in(dir, "name").u32(uint32(vfs.TypeFifo)).mode(0o644),
		nfs3.NFSPROC3_REMOVE:      in(dir, "name"),
		nfs3.NFSPROC3_RMDIR:       in(dir, "name"),
		nfs3.NFSPROC3_RENAME:      {append(in(dir, "name").b, in(dir, "other").b...)},
		nfs3.NFSPROC3_LINK:        {append(on(obj).b, in(dir, "name").b...)},
		nfs3.NFSPROC3_READDIR:     on(dir).u64(0, 0).u32(4096),
		nfs3.NFSPROC3_READDIRPLUS: on(dir).u64(0, 0).u32(4096, 4096),
		nfs3.NFSPROC3_FSSTAT:      on(dir),
		nfs3.NFSPROC3_FSINFO:      on(dir),
		nfs3.NFSPROC3_PATHCONF:    on(dir),
		nfs3.NFSPROC3_COMMIT:      on(obj).u64(0).u32(0),
	}
}

// changing are the procedures that a read-only export refuses.
var changing = []int{
	nfs3.NFSPROC3_SETATTR,
	nfs3.NFSPROC3_WRITE,
	nfs3.NFSPROC3_CREATE,
	nfs3.NFSPROC3_MKDIR,
	nfs3.NFSPROC3_SYMLINK,
	nfs3.NFSPROC3_MKNOD,
	nfs3.NFSPROC3_REMOVE,
	nfs3.NFSPROC3_RMDIR,
	nfs3.NFSPROC3_RENAME,
	nfs3.NFSPROC3_LINK,
}

// name returns the protocol's name of a procedure.
func name(proc int) string {
	s := server{}
	return s.program().Versions[0].Procedures[proc].Name
}

func TestEveryExampleNamesItsProcedure(t *testing.T) {
	for proc, a := range examples(nil, nil) {
		require.NotNil(t, a, fmt.Sprint(proc))
		require.NotEmpty(t, name(proc))
	}
}

func attrOf(a *vfs.Attr) (f nfs3.Fattr3) {
	translate.Attr(&f, a)
	return f
}

func postOp(a *vfs.Attr) (p nfs3.PostOpAttr) {
	translate.PostOp(&p, a)
	return p
}

func wccOf(w *vfs.WCC) (d nfs3.WccData) {
	translate.WCC(&d, w)
	return d
}
