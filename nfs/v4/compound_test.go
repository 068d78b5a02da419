package v4

import (
	"encoding/binary"
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

func two(t testing.TB) *rig {
	return newRig(t, remembers(new(uint32)),
		export.Export{Path: "/srv/a", FS: memfs.New(memfs.Config{Mode: 0o777})},
		export.Export{Path: "/srv/b/c", FS: memfs.New(memfs.Config{Mode: 0o777})},
	)
}

func TestACompoundEndsWithTheFirstOperationThatFails(t *testing.T) {
	r := two(t)
	res := r.do(putroot(), lookup("nothing"), getfh())
	require.Equal(t, nfs4.NFS4ERR_NOENT, res.Status)
	require.Len(t, res.Resarray, 2)
	require.Equal(t, nfs4.OP_LOOKUP, res.Resarray[1].Resop)
	r.fails(nfs4.NFS4ERR_NOFILEHANDLE, getfh())
	r.fails(nfs4.NFS4ERR_NOFILEHANDLE, lookup("a"))
	require.Empty(t, r.ok(), "none at all")
}

func TestWhatIsNoOperationOfTheMinorVersionIsIllegal(t *testing.T) {
	r := two(t)
	for _, op := range []uint32{0, 1, 2, uint32(nfs4.OP_SECINFO_NO_NAME), 76, 10044, 1 << 31} {
		var b []byte
		for _, v := range []uint32{0, 0, 1, op} {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		reply := r.run(r.record(b))
		var words []uint32
		for ; len(reply) > 0; reply = reply[4:] {
			words = append(words, binary.BigEndian.Uint32(reply))
		}
		bad := uint32(nfs4.NFS4ERR_OP_ILLEGAL)
		require.Equal(t, []uint32{bad, 0, 1, uint32(nfs4.OP_ILLEGAL), bad}, words[6:], "operation %d", op)
	}
}

func TestAMinorVersionThatIsNotServedIsSaidSo(t *testing.T) {
	r := two(t)
	r.minor = 3
	res := r.do(putroot())
	require.Equal(t, nfs4.NFS4ERR_MINOR_VERS_MISMATCH, res.Status)
	require.Empty(t, res.Resarray)
}

// Every compound, cut at every byte, gets an answer, and a whole operation before the cut its
// result.
func TestACompoundThatIsCutIsAnswered(t *testing.T) {
	r := two(t)
	args := nfs4.COMPOUND4args{Tag: nfs4.Utf8strCs("t"),
		Argarray: append(walk("srv", "a"), getattr(0, 1, 33), getfh())}
	whole := encoded(t, args.Encode)
	for n := range whole {
		reply := r.run(r.record(whole[:n:n]))
		if binary.BigEndian.Uint32(reply[20:]) != 0 {
			require.Less(t, n, 16, "garbage is what has no header")
			continue
		}
		require.EqualValues(t, nfs4.NFS4ERR_BADXDR, binary.BigEndian.Uint32(reply[24:]), "cut at %d", n)
	}
}

func TestTooManyOperationsAreRefused(t *testing.T) {
	r := two(t)
	for _, n := range []uint32{operationsMax, operationsMax + 1, 10_000} {
		var b []byte
		for _, v := range []uint32{0, 0, n} {
			b = binary.BigEndian.AppendUint32(b, v)
		}
		for range n {
			b = binary.BigEndian.AppendUint32(b, uint32(nfs4.OP_PUTROOTFH))
		}
		reply := r.run(r.record(b))[24:]
		if n <= operationsMax {
			require.Equal(t, []byte{0, 0, 0, 0}, reply[:4])
			require.EqualValues(t, n, binary.BigEndian.Uint32(reply[8:]))
			continue
		}
		require.EqualValues(t, nfs4.NFS4ERR_RESOURCE, binary.BigEndian.Uint32(reply))
		require.Zero(t, binary.BigEndian.Uint32(reply[8:]), "nothing has run")
	}
}

func TestTheSavedFileHandleIsRestored(t *testing.T) {
	r := two(t)
	res := r.ok(putroot(), lookup("srv"), getfh(), savefh(), lookup("a"), getfh(),
		nfs4.NfsArgop4{Argop: nfs4.OP_RESTOREFH}, getfh())
	require.Equal(t, res[2], res[7])
	require.NotEqual(t, res[2], res[5])
	r.fails(nfs4.NFS4ERR_RESTOREFH, putroot(), nfs4.NfsArgop4{Argop: nfs4.OP_RESTOREFH})
}

// What a lane cannot answer goes on at the operation where it stopped, with more memory or on a
// worker, and with the file handles that it had.
func TestACompoundGoesOnWhereItStopped(t *testing.T) {
	r := two(t)
	ops := walk("srv", "a")
	for range 20 { // more attributes than the first buffer has room for
		ops = append(ops, getattr(0, 1, 3, 4, 8, 20, 33, 35, 36, 37, 45, 47, 52, 53))
	}
	ops = append(ops, nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT, Opcommit: nfs4.COMMIT4args{}})
	res := r.do(ops...)
	require.Equal(t, nfs4.NFS4ERR_ISDIR, res.Status, "a directory is not committed")
	require.Len(t, res.Resarray, len(ops))
	require.Positive(t, r.grows)
	require.Equal(t, 1, r.waits, "COMMIT is for a worker")
	for _, x := range res.Resarray[4:23] {
		require.Equal(t, res.Resarray[3].Opgetattr, x.Opgetattr)
	}
}

// What may not be done twice is known by the duplicate request cache in minor version 0, and by
// sessions from 1 on.
func TestWhatMayRunOnceIsSaidInMinorVersion0(t *testing.T) {
	r, file := one(t, export.Options{})
	file("f", "content")
	r.ok(append(walk("x"), mkdir("d"))...)
	require.True(t, r.call.Once)
	r.ok(append(walk("x", "f"), nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT})...)
	require.Positive(t, r.waits)
	require.False(t, r.call.Once)
	s := r.session("me")
	r.ok(in(s.sequence(), append(walk("x"), mkdir("e"))...)...)
	require.False(t, r.call.Once)
}

// reset names each field. What it leaves of the compound before is what nobody reads then.
func TestACompoundBeginsWithNothingOfTheOneBefore(t *testing.T) {
	r := two(t)
	var k compound
	scribble(reflect.ValueOf(&k).Elem())
	k.ticket, k.pool, k.free = state.Ticket{}, nil, nil // what end and suspend leave
	s := newServer(r.table, r.cfg)
	c, w := &rpc.Call{Place: &r.places[0]}, &work{}
	k.reset(s, c, w)
	k.current.handle, k.saved.handle = vfs.Handle{}, vfs.Handle{} // of no export
	require.Equal(t, compound{s: s, c: c, w: w, replyMax: s.cfg.replyMax()}, k)
}

// scribble gives every field of v another value than none, as far as reflection can write to it.
func scribble(v reflect.Value) {
	v = reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem() // unexported fields, too
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			scribble(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			scribble(v.Index(i))
		}
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int:
		v.SetInt(1)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(1)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
	default:
		panic(v.Kind().String())
	}
}
