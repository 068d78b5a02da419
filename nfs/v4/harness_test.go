package v4

import (
	"encoding/binary"
	"net/netip"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// rig is a server of the version with two places, and one caller. Place 0 is a lane, place 1 a
// worker.
type rig struct {
	t      testing.TB
	table  *export.Table
	server *rpc.Server
	places [2]rpc.Place
	call   rpc.Call
	cfg    Config
	xid    uint32

	// Properties of the next compounds.
	minor    uint32
	place    int // where they begin
	memory   int // bytes of the first reply buffer
	peer     netip.AddrPort
	conn     uint64
	uid, gid uint32
	forgets  bool // verifiers of directories
	pipes    rpc.Pipes

	waits, grows int // of the last compound
}

func newRig(t testing.TB, cfg Config, exports ...export.Export) *rig {
	t.Helper()
	r := &rig{t: t, cfg: cfg, peer: netip.MustParseAddrPort("127.0.0.1:700"), memory: rpc.ReplyMemoryMin}
	table, err := export.NewTable(export.Key{1, 2, 3}, len(r.places), exports)
	require.NoError(t, err)
	r.table = table
	runtime.LockOSThread() // both places are this thread; never unlocked: their Views change it
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
	r.serve(cfg)
	return r
}

// serve makes a server of the exports, in place of another one.
func (r *rig) serve(cfg Config) {
	r.cfg = cfg
	r.server = rpc.NewServer(&rpc.Program{
		Name: "nfs", Number: nfs4.NFS4_PROGRAM, Versions: []rpc.Version{New(r.table, cfg)},
		Target: Target,
	})
	r.server.OnPanic = func(_ *rpc.Call, v any, stack []byte) { r.t.Errorf("panic: %v\n%s", v, stack) }
	r.server.OnFault = func(_ *rpc.Call, err error) { r.t.Errorf("fault: %v", err) }
}

// encoded returns what encode writes.
func encoded(t testing.TB, encode func(*xdr.Encoder)) []byte {
	t.Helper()
	var e xdr.Encoder
	e.Reset(make([]byte, 4<<10))
	if encode(&e); e.Err() != nil {
		e.Reset(make([]byte, 4<<20))
		encode(&e)
	}
	require.NoError(t, e.Err())
	return e.Bytes()
}

// record builds a call of COMPOUND with these arguments.
func (r *rig) record(args []byte) []byte {
	r.xid++
	be := binary.BigEndian
	var b []byte
	for _, v := range []uint32{r.xid, 0, 2, nfs4.NFS4_PROGRAM, 4, 1, rpc.AuthSys, 20, 7, 0, r.uid, r.gid, 0} {
		b = be.AppendUint32(b, v)
	}
	b = be.AppendUint64(b, 0) // AUTH_NONE verifier
	return append(b, args...)
}

// run runs a record to its end, on the lane and then, when it waits, on the worker, and returns
// the whole reply.
func (r *rig) run(record []byte) []byte {
	c := &r.call
	c.Reset()
	r.waits, r.grows = 0, 0
	c.Peer, c.Conn = r.peer, r.conn
	require.NoError(r.t, r.server.Parse(c, record, nil))
	c.Place, c.Pipes = &r.places[r.place], r.pipes
	memory := make([]byte, r.memory)
	for {
		c.Reply.Reset(memory)
		switch out := r.server.RunSettled(c); out {
		case rpc.Done:
			return c.Reply.Bytes()
		case rpc.Wait:
			r.waits++
			c.Place = &r.places[1]
			// As the transport does: what is parked has a copy of the record.
			moved := make([]byte, len(record))
			require.True(r.t, c.Move(moved, record, nil))
			record = moved
			memory = make([]byte, max(len(memory), c.Need))
		case rpc.Grow:
			r.grows++
			memory = make([]byte, c.Need)
		case rpc.GarbageArgs, rpc.SystemErr, rpc.TooWeak, rpc.Owing: // Run makes replies of these
			r.t.Fatalf("outcome %d", out)
		}
	}
}

// do runs a compound and decodes its results.
func (r *rig) do(ops ...nfs4.NfsArgop4) *nfs4.COMPOUND4res {
	r.t.Helper()
	args := nfs4.COMPOUND4args{Tag: nfs4.Utf8strCs("tag"), Minorversion: r.minor, Argarray: ops}
	reply := r.run(r.record(encoded(r.t, args.Encode)))
	require.Zero(r.t, binary.BigEndian.Uint32(reply[20:]), "accepted")
	var d xdr.Decoder
	d.Reset(reply[24:])
	res := new(nfs4.COMPOUND4res)
	res.Decode(&d)
	require.NoError(r.t, d.Err())
	require.Zero(r.t, d.Left(), "bytes behind the results")
	require.Equal(r.t, "tag", string(res.Tag))
	return res
}

// ok is do for a compound that is to go well.
func (r *rig) ok(ops ...nfs4.NfsArgop4) []nfs4.NfsResop4 {
	r.t.Helper()
	res := r.do(ops...)
	require.Equal(r.t, nfs4.NFS4_OK, res.Status, "operation %d", len(res.Resarray))
	require.Len(r.t, res.Resarray, len(ops))
	return res.Resarray
}

// fails runs a compound whose last operation is to fail with st.
func (r *rig) fails(st nfs4.Nfsstat4, ops ...nfs4.NfsArgop4) {
	r.t.Helper()
	res := r.do(ops...)
	require.Equal(r.t, st.String(), res.Status.String())
	require.Len(r.t, res.Resarray, len(ops))
}

func putroot() nfs4.NfsArgop4 { return nfs4.NfsArgop4{Argop: nfs4.OP_PUTROOTFH} }
func getfh() nfs4.NfsArgop4   { return nfs4.NfsArgop4{Argop: nfs4.OP_GETFH} }
func lookupp() nfs4.NfsArgop4 { return nfs4.NfsArgop4{Argop: nfs4.OP_LOOKUPP} }
func savefh() nfs4.NfsArgop4  { return nfs4.NfsArgop4{Argop: nfs4.OP_SAVEFH} }

func lookup(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_LOOKUP, Oplookup: nfs4.LOOKUP4args{Objname: nfs4.Component4(name)}}
}

func bitsOf(numbers ...int) (b nfs4.Bitmap4) {
	for _, n := range numbers {
		for len(b) <= n/32 {
			b = append(b, 0)
		}
		b[n/32] |= 1 << (n % 32)
	}
	return b
}

func getattr(numbers ...int) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_GETATTR, Opgetattr: nfs4.GETATTR4args{AttrRequest: bitsOf(numbers...)}}
}

// walk is PUTROOTFH and a LOOKUP for each name.
func walk(names ...string) []nfs4.NfsArgop4 {
	ops := []nfs4.NfsArgop4{putroot()}
	for _, n := range names {
		ops = append(ops, lookup(n))
	}
	return ops
}
