package v4

import (
	"encoding/binary"
	"maps"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/v3"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// hotSize is how much the file of a costs has.
const hotSize = 64 << 10

// costs makes calls again and again, as a lane does: with a Call and memory that were used before.
type costs struct {
	*data
	fh     []byte
	dir    []byte
	id     nfs4.Stateid4
	locked nfs4.Stateid4
	memory []byte // of replies
	moved  []byte // of records that have been moved
	other  *rpc.Server
}

// newCosts serves a file f of an export, which is open, and which a lock has been on.
func newCosts(t testing.TB, fs vfs.FS) *costs {
	t.Helper()
	x := &costs{memory: make([]byte, 2<<20), moved: make([]byte, 2<<20)}
	cfg := remembers(new(uint32))
	r := newRig(t, cfg, export.Export{Path: "/x", FS: fs, Options: export.Options{Squash: export.SquashNone}})
	x.data = &data{session: r.session("me")}
	r.minor = 2
	x.ok(nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	res := x.ok(append(walk("x"), getfh(), nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
		ShareAccess: nfs4.OPEN4_SHARE_ACCESS_BOTH, Owner: nfs4.OpenOwner4{Owner: []byte("owner")},
		Openhow: nfs4.Openflag4{Opentype: nfs4.OPEN4_CREATE, How: nfs4.Createhow4{
			Createattrs: nfs4.Fattr4{Attrmask: bitsOf(nfs4.FATTR4_MODE), AttrVals: []byte{0, 0, 1, 0o244}},
		}},
		Claim: nfs4.OpenClaim4{File: nfs4.Component4("f")},
	}}, getfh())...)
	x.dir = append(x.dir, res[2].Opgetfh.Resok4.Object...)
	x.id = res[3].Opopen.Resok4.Stateid
	x.fh = append(x.fh, res[4].Opgetfh.Resok4.Object...)
	at := nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH, Opputfh: nfs4.PUTFH4args{Object: x.fh}}
	content := make([]byte, hotSize)
	x.ok(at, nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Stateid: x.id, Data: content}})
	locked := x.ok(at, nfs4.NfsArgop4{Argop: nfs4.OP_LOCK, Oplock: nfs4.LOCK4args{
		Locktype: nfs4.WRITE_LT, Length: 1,
		Locker: nfs4.Locker4{NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{
			OpenStateid: x.id, LockOwner: nfs4.LockOwner4{Owner: []byte("locker")},
		}},
	}})
	x.locked = locked[1].Oplock.Resok4.LockStateid
	x.other = rpc.NewServer(v3.New(r.table, v3.Config{Places: len(r.places)}))
	return x
}

// hot is a call that is made again and again.
type hot struct {
	x      *costs
	server *rpc.Server
	record []byte
	seqid  int // where the sequence number stands in the record
	waits  int // calls that the lane did not answer
}

// compound is a compound in the session, built by hand.
func (x *costs) compound(fill func(*xdr.Encoder), ops uint32) *hot {
	x.slot++
	return x.encoded4(func(e *xdr.Encoder) {
		e.Uint32(0) // tag
		e.Uint32(2)
		e.Uint32(ops + 2)
		e.Uint32(uint32(nfs4.OP_SEQUENCE))
		e.Fixed(x.data.session.id[:])
		e.Uint32(0)
		e.Uint32(x.slot)
		e.Uint32(15)
		e.Bool(false)
		e.Uint32(uint32(nfs4.OP_PUTFH))
		e.Opaque(x.fh)
		fill(e)
	})
}

func (x *costs) encoded4(fill func(*xdr.Encoder)) *hot {
	args := encoded(x.r.t, fill)
	record := x.r.record(args)
	return &hot{x: x, server: x.r.server, record: record, seqid: len(record) - len(args) + 12 + 4 + 16}
}

// version3 is a call of version 3 of the same objects.
func (x *costs) version3(proc uint32, fill func(*xdr.Encoder)) *hot {
	record := x.r.record(encoded(x.r.t, func(e *xdr.Encoder) {
		e.Opaque(x.fh)
		fill(e)
	}))
	binary.BigEndian.PutUint32(record[16:], 3)
	binary.BigEndian.PutUint32(record[20:], proc)
	return &hot{x: x, server: x.other, record: record}
}

// run makes the call once, on the lane if that can answer, and reports whether it went well.
func (h *hot) run() bool {
	if h.seqid > 0 {
		be := binary.BigEndian
		be.PutUint32(h.record[h.seqid:], be.Uint32(h.record[h.seqid:])+1)
	}
	r := h.x.r
	c := &r.call
	c.Reset()
	c.Peer, c.Conn = r.peer, r.conn
	if h.server.Parse(c, h.record, nil) != nil {
		return false
	}
	c.Place = &r.places[0]
	c.Reply.Reset(h.x.memory)
	out := h.server.RunSettled(c)
	if out == rpc.Wait { // rarely, after the lane has forgotten something
		h.waits++
		c.Place = &r.places[1]
		if !c.Move(h.x.moved[:len(h.record)], h.record, nil) {
			return false
		}
		c.Reply.Reset(h.x.memory)
		out = h.server.RunSettled(c)
	}
	return out == rpc.Done && binary.BigEndian.Uint32(c.Reply.Bytes()[24:]) == 0
}

var linuxMask, shortMask = [2]uint32{0x0010011a, 0x00b0a23a}, [2]uint32{0x18, 0x00300000}

func putMask(e *xdr.Encoder, m [2]uint32) {
	e.Uint32(uint32(nfs4.OP_GETATTR))
	e.Uint32(2)
	e.Uint32(m[0])
	e.Uint32(m[1])
}

func putID(e *xdr.Encoder, id *nfs4.Stateid4) {
	e.Uint32(id.Seqid)
	e.Fixed(id.Other[:])
}

// hotCalls are the compounds that a Linux client sends most, and the calls of version 3 that they
// stand for.
func (x *costs) hotCalls() map[string]*hot {
	read := func(e *xdr.Encoder, n uint32) {
		e.Uint32(uint32(nfs4.OP_READ))
		putID(e, &x.id)
		e.Uint64(0)
		e.Uint32(n)
	}
	write := func(e *xdr.Encoder, n int) {
		e.Uint32(uint32(nfs4.OP_WRITE))
		putID(e, &x.id)
		e.Uint64(0)
		e.Uint32(0)
		e.Opaque(make([]byte, n))
	}
	return map[string]*hot{
		"GETATTR":       x.compound(func(e *xdr.Encoder) { putMask(e, linuxMask) }, 1),
		"GETATTR, few":  x.compound(func(e *xdr.Encoder) { putMask(e, shortMask) }, 1),
		"READ 4 KiB":    x.compound(func(e *xdr.Encoder) { read(e, 4096) }, 1),
		"READ, GETATTR": x.compound(func(e *xdr.Encoder) { read(e, 4096); putMask(e, shortMask) }, 2),
		"WRITE 4 KiB":   x.compound(func(e *xdr.Encoder) { write(e, 4096) }, 1),
		"WRITE, GETATTR": x.compound(func(e *xdr.Encoder) {
			write(e, 4096)
			putMask(e, shortMask)
		}, 2),
		"ACCESS, GETATTR": x.compound(func(e *xdr.Encoder) {
			e.Uint32(uint32(nfs4.OP_ACCESS))
			e.Uint32(0x1f)
			putMask(e, shortMask)
		}, 2),
		"LOCKU": x.compound(func(e *xdr.Encoder) {
			e.Uint32(uint32(nfs4.OP_LOCKU))
			e.Uint32(2)
			e.Uint32(0)
			putID(e, &nfs4.Stateid4{Other: x.locked.Other})
			e.Uint64(0)
			e.Uint64(1)
		}, 1),
		"LOCK": x.compound(func(e *xdr.Encoder) {
			e.Uint32(uint32(nfs4.OP_LOCK))
			e.Uint32(2)
			e.Uint32(0)
			e.Uint64(0)
			e.Uint64(1)
			e.Uint32(0)
			putID(e, &nfs4.Stateid4{Other: x.locked.Other})
			e.Uint32(0)
		}, 1),
		"v3 GETATTR":    x.version3(nfs3.NFSPROC3_GETATTR, func(*xdr.Encoder) {}),
		"v3 READ 4 KiB": x.version3(nfs3.NFSPROC3_READ, func(e *xdr.Encoder) { e.Uint64(0); e.Uint32(4096) }),
		"v3 WRITE 4 KiB": x.version3(nfs3.NFSPROC3_WRITE, func(e *xdr.Encoder) {
			e.Uint64(0)
			e.Uint32(4096)
			e.Uint32(0)
			e.Opaque(make([]byte, 4096))
		}),
	}
}

// The compounds that are made most allocate nothing in the server.
func TestHotCompoundsAllocateNothing(t *testing.T) {
	x := newCosts(t, memfs.New(memfs.Config{Mode: 0o777}))
	for name, h := range x.hotCalls() {
		t.Run(name, func(t *testing.T) {
			require.True(t, h.run())
			require.Zero(t, testing.AllocsPerRun(100, func() { h.run() }))
			require.Zero(t, h.waits)
		})
	}
}

// openClose opens the file by its name and closes it, in one compound.
func (x *costs) openClose() *hot {
	fh := x.fh
	x.fh = x.dir
	defer func() { x.fh = fh }()
	return x.compound(func(e *xdr.Encoder) {
		e.Uint32(uint32(nfs4.OP_OPEN))
		e.Uint32(0) // seqid
		e.Uint32(nfs4.OPEN4_SHARE_ACCESS_READ)
		e.Uint32(nfs4.OPEN4_SHARE_DENY_NONE)
		e.Uint64(0)
		e.String("another owner")
		e.Uint32(uint32(nfs4.OPEN4_NOCREATE))
		e.Uint32(uint32(nfs4.CLAIM_NULL))
		e.String("f")
		e.Uint32(uint32(nfs4.OP_CLOSE))
		e.Uint32(0)
		putID(e, &nfs4.Stateid4{Seqid: 1}) // the current one
	}, 2)
}

// What OPEN allocates is what the server has to remember, and what that is found by.
func TestOpenAndCloseAllocateLittle(t *testing.T) {
	x := newCosts(t, memfs.New(memfs.Config{Mode: 0o777}))
	h := x.openClose()
	require.True(t, h.run())
	require.Zero(t, h.waits, "a lane opens what there is")
	require.LessOrEqual(t, testing.AllocsPerRun(200, func() { h.run() }), 3.0, "the owner, its name, the open")
	require.True(t, h.run())
}

// A lane leaves to a worker an OPEN that might wait: one that makes a file, one of minor version 0,
// and one that a share is in the way of. Where the back end must wait nothing has been opened yet.
func TestOpensThatMayWaitAreAWorkers(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "x")
	open := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
		ShareAccess: nfs4.OPEN4_SHARE_ACCESS_READ, Owner: nfs4.OpenOwner4{Owner: []byte("o")},
		Claim: nfs4.OpenClaim4{File: nfs4.Component4("f")},
	}}
	seq := func(res []nfs4.NfsResop4) uint32 { return res[len(res)-1].Opopen.Resok4.Stateid.Seqid }
	require.EqualValues(t, 1, seq(d.ok(append(walk("x"), open)...)))
	require.Zero(t, d.r.waits)
	for i, op := range []faultfs.Op{faultfs.Lookup, faultfs.Access, faultfs.GetAttr} {
		fault := d.fs.Add(faultfs.Rule{Ops: []faultfs.Op{op}, Threads: faultfs.LaneOnly, Status: vfs.Again})
		res := d.ok(append(walk("x"), open)...)
		require.Equal(t, 1, d.r.waits, op)
		fault.Remove()
		require.EqualValues(t, 2+i, seq(res), "each OPEN counts once, whatever came between")
	}
	create := open
	create.Opopen.Openhow.Opentype = nfs4.OPEN4_CREATE
	create.Opopen.Claim.File = nfs4.Component4("new")
	d.ok(append(walk("x"), create)...)
	require.Equal(t, 1, d.r.waits)
	deny := open
	deny.Opopen.ShareDeny, deny.Opopen.Owner.Owner = nfs4.OPEN4_SHARE_DENY_READ, []byte("p")
	d.fails(nfs4.NFS4ERR_SHARE_DENIED, append(walk("x"), deny)...)
	require.Equal(t, 1, d.r.waits)
}

// BenchmarkCompounds measures what a lane spends on compounds, and on calls of version 3, with
// files of the temporary directory's file system. All are made in turn, so that other work on the
// machine is the same for all. Each shows the first quartile of the thread's CPU time for a call.
func BenchmarkCompounds(b *testing.B) {
	runtime.LockOSThread() // never unlocked: the Views change the thread
	fs, err := posixfs.New(posixfs.Config{Dir: b.TempDir(), Writes: posixfs.WriteInline})
	require.NoError(b, err)
	x := newCosts(b, fs)
	calls := x.hotCalls()
	names := slices.Sorted(maps.Keys(calls))
	const batch = 100
	took := make(map[string][]float64)
	b.ReportAllocs()
	for b.Loop() {
		for _, name := range names {
			before := threadTime()
			for range batch {
				if !calls[name].run() {
					b.Fatal(name)
				}
			}
			took[name] = append(took[name], float64(threadTime()-before)/batch)
		}
	}
	for _, name := range names {
		list := took[name]
		slices.Sort(list)
		b.ReportMetric(list[len(list)/4], "ns/"+strings.NewReplacer(" ", "-", ",", "").Replace(name))
	}
	b.ReportMetric(0, "ns/op")
}

// threadTime is the CPU time of the thread in nanoseconds.
func threadTime() int64 {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &ts) // the clock is there
	return ts.Nano()
}
