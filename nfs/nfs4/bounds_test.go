package nfs4_test

import (
	"bytes"
	"encoding/binary"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

// refused tests that b is more than v may have.
func refused(t *testing.T, b []byte, v xdrtest.Message) {
	t.Helper()
	var d xdr.Decoder
	d.Reset(b)
	v.Decode(&d)
	require.ErrorIs(t, d.Err(), xdr.ErrTooLong)
}

// unwritable tests that v has more than it may have.
func unwritable(t *testing.T, v xdrtest.Message) {
	t.Helper()
	var e xdr.Encoder
	e.Reset(make([]byte, 1<<17))
	v.Encode(&e)
	require.ErrorIs(t, e.Err(), xdr.ErrTooLong)
}

// TestOpaqueDataAboveItsBoundIsRefusedBothWays has what servers keep, and handles.
func TestOpaqueDataAboveItsBoundIsRefusedBothWays(t *testing.T) {
	for _, c := range []struct {
		name string
		most int
		of   func(b []byte) xdrtest.Message
	}{
		{"handle", 128, func(b []byte) xdrtest.Message { return &nfs4.PUTFH4args{Object: b} }},
		{"open owner", 1024, func(b []byte) xdrtest.Message { return &nfs4.OpenOwner4{Owner: b} }},
		{"lock owner", 1024, func(b []byte) xdrtest.Message {
			return &nfs4.RELEASELOCKOWNER4args{LockOwner: nfs4.LockOwner4{Owner: b}}
		}},
		{"client", 1024, func(b []byte) xdrtest.Message { return &nfs4.ClientOwner4{CoOwnerid: b} }},
		{"client in minor version 0", 1024, func(b []byte) xdrtest.Message { return &nfs4.NfsClientId4{Id: b} }},
		{"server", 1024, func(b []byte) xdrtest.Message { return &nfs4.ServerOwner4{SoMajorId: b} }},
		{"machine", 255, func(b []byte) xdrtest.Message { return &nfs4.AuthsysParms{Machinename: b} }},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, n := range []int{c.most - 1, c.most} {
				v := c.of(bytes.Repeat([]byte{7}, n))
				b := xdrtest.Encode(t, v)
				xdrtest.Decode(t, b, c.of(nil))
			}
			unwritable(t, c.of(make([]byte, c.most+1)))
			// The length is the only word in a record that is zero otherwise.
			long := xdrtest.Encode(t, c.of(make([]byte, c.most)))
			at := bytes.IndexFunc(long, func(r rune) bool { return r != 0 }) &^ 3
			binary.BigEndian.PutUint32(long[at:], uint32(c.most+1))
			refused(t, append(long, 0, 0, 0, 0), c.of(nil))
		})
	}
}

func TestListsAboveTheirBoundAreRefusedBothWays(t *testing.T) {
	for _, c := range []struct {
		name string
		most int
		of   func(n int) xdrtest.Message
		skip int // bytes before the length of the list
	}{
		{"operations", 256, func(n int) xdrtest.Message { return &nfs4.COMPOUND4args{Argarray: getfh(n)} }, 8},
		{"results", 256, func(n int) xdrtest.Message { return &nfs4.COMPOUND4res{Resarray: putrootfh(n)} }, 8},
		{"credentials of callbacks", 64, func(n int) xdrtest.Message {
			return &nfs4.BACKCHANNELCTL4args{BcaSecParms: make([]nfs4.CallbackSecParms4, n)}
		}, 4},
		{"groups of a credential", 16, func(n int) xdrtest.Message { return &nfs4.AuthsysParms{Gids: make([]uint32, n)} }, 16},
		{"stateids", 1024, func(n int) xdrtest.Message { return &nfs4.TESTSTATEID4args{TsStateids: make([]nfs4.Stateid4, n)} }, 0},
		{"entries of an access control list", 1024, func(n int) xdrtest.Message {
			acl := make(nfs4.Fattr4Acl, n)
			return &acl
		}, 0},
		{"who made a client", 1, func(n int) xdrtest.Message {
			return &nfs4.EXCHANGEID4args{EiaClientImplId: make([]nfs4.NfsImplId4, n)}
		}, 20},
		{"servers to copy from", 64, func(n int) xdrtest.Message {
			servers := make([]nfs4.Netloc4, n)
			for i := range servers {
				servers[i].NlType = nfs4.NL4_NAME
			}
			return &nfs4.COPY4args{CaSourceServer: servers}
		}, 64},
		{"extended attributes", 16384, func(n int) xdrtest.Message {
			return &nfs4.LISTXATTRS4resok{LxrNames: make([]nfs4.Xattrkey4, n)}
		}, 8},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, n := range []int{c.most - 1, c.most} {
				xdrtest.Decode(t, xdrtest.Encode(t, c.of(n)), c.of(0))
			}
			unwritable(t, c.of(c.most+1))
			b := xdrtest.Encode(t, c.of(c.most))
			binary.BigEndian.PutUint32(b[c.skip:], uint32(c.most+1))
			refused(t, append(b, make([]byte, 1<<10)...), c.of(0))
		})
	}
}

// TestTheLongestListsTakeLittleMemory has the arguments that have lists, as long as they may be, of
// the elements that take the fewest bytes: the memory for them is all that a record can ask for.
func TestTheLongestListsTakeLittleMemory(t *testing.T) {
	servers := make([]nfs4.Netloc4, 64)
	for i := range servers {
		servers[i].NlType = nfs4.NL4_URL
	}
	set := make(nfs4.Bitmap4, 5000)
	ssv := nfs4.StateProtect4A{SpaHow: nfs4.SP4_SSV, SpaSsvParms: nfs4.SsvSpParms4{
		SspOps:      nfs4.StateProtectOps4{SpoMustEnforce: set, SpoMustAllow: set},
		SspHashAlgs: make([]nfs4.SecOid4, 64), SspEncrAlgs: make([]nfs4.SecOid4, 64),
	}}
	var before, after runtime.MemStats
	for _, v := range []xdrtest.Message{
		&nfs4.BACKCHANNELCTL4args{BcaSecParms: make([]nfs4.CallbackSecParms4, 64)},
		&nfs4.CREATESESSION4args{CsaSecParms: make([]nfs4.CallbackSecParms4, 64)},
		&nfs4.EXCHANGEID4args{EiaStateProtect: ssv, EiaClientImplId: make([]nfs4.NfsImplId4, 1)},
		&nfs4.TESTSTATEID4args{TsStateids: make([]nfs4.Stateid4, 1024)},
		&nfs4.COPY4args{CaSourceServer: servers},
		&nfs4.SETATTR4args{ObjAttributes: nfs4.Fattr4{Attrmask: set, AttrVals: make([]byte, 1<<15)}},
		&nfs4.GETDIRDELEGATION4args{GddaNotificationTypes: set, GddaChildAttributes: set,
			GddaDirAttributes: set},
	} {
		b := xdrtest.Encode(t, v)
		again := fresh(v)
		runtime.ReadMemStats(&before)
		xdrtest.Decode(t, b, again)
		runtime.ReadMemStats(&after)
		require.LessOrEqual(t, after.TotalAlloc-before.TotalAlloc, uint64(64<<10), "%T of %d bytes",
			v, len(b))
	}
}

// getfh is n operations of which each takes the fewest bytes.
func getfh(n int) []nfs4.NfsArgop4 {
	ops := make([]nfs4.NfsArgop4, n)
	for i := range ops {
		ops[i].Argop = nfs4.OP_GETFH
	}
	return ops
}

// putrootfh is n results of which each takes the fewest bytes.
func putrootfh(n int) []nfs4.NfsResop4 {
	ops := make([]nfs4.NfsResop4, n)
	for i := range ops {
		ops[i].Resop = nfs4.OP_PUTROOTFH
	}
	return ops
}

func TestOfLongNamesOnlyTheBeginningIsKept(t *testing.T) {
	for _, n := range []int{254, 255, 256, 257, 5000} {
		var v nfs4.LOOKUP4args
		xdrtest.Decode(t, xdrtest.Encode(t, &nfs4.LOOKUP4args{Objname: make([]byte, n)}), &v)
		require.Len(t, v.Objname, min(n, 256))
	}
	for _, n := range []int{4094, 4095, 4096, 4097, 9000} {
		var v nfs4.READLINK4resok
		xdrtest.Decode(t, xdrtest.Encode(t, &nfs4.READLINK4resok{Link: make([]byte, n)}), &v)
		require.Len(t, v.Link, min(n, 4096))
	}
	for _, n := range []int{65535, 65536, 65537, 65538, 1 << 18} {
		var v nfs4.SETXATTR4args
		xdrtest.Decode(t, xdrtest.Encode(t, &nfs4.SETXATTR4args{SxaValue: make([]byte, n)}), &v)
		require.Len(t, v.SxaValue, min(n, 65537))
	}
}

// TestUnknownAttributesMayBeAskedFor has attribute number 1000, which test programs ask for.
func TestUnknownAttributesMayBeAskedFor(t *testing.T) {
	for _, n := range []int{0, 3, 32, 62, 63, 64, 65, 2000} {
		mask := make(nfs4.Bitmap4, n)
		if n >= 32 {
			mask[31] = 1 << (1000 - 31*32)
		}
		var v nfs4.GETATTR4args
		xdrtest.Decode(t, xdrtest.Encode(t, &nfs4.GETATTR4args{AttrRequest: mask}), &v)
		require.Len(t, v.AttrRequest, min(n, 64))
		require.Equal(t, mask[:len(v.AttrRequest)], append(nfs4.Bitmap4{}, v.AttrRequest...))
	}
}

func TestEnumeratorsThatDoNotExistAreRefusedBothWays(t *testing.T) {
	var e xdr.Encoder
	e.Reset(make([]byte, 100))
	nfs4.Nfsstat4(3).Encode(&e)
	require.ErrorIs(t, e.Err(), xdr.ErrValue)
	for _, op := range []uint32{0, 2, 76, 1 << 31} {
		e.Truncate(0)
		e.Uint32(op)
		var d xdr.Decoder
		d.Reset(e.Bytes())
		var v nfs4.NfsArgop4
		v.Decode(&d)
		require.ErrorIs(t, d.Err(), xdr.ErrValue)
	}
	require.Equal(t, "nfs_opnum4(2)", nfs4.NfsOpnum4(2).String())
}
