package nfs3_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

type message = func() xdrtest.Message

// messages has arguments and results by procedure; NULL has neither.
var messages = [...][2]message{
	nfs3.NFSPROC3_GETATTR: {
		func() xdrtest.Message { return new(nfs3.GETATTR3args) },
		func() xdrtest.Message { return new(nfs3.GETATTR3res) },
	},
	nfs3.NFSPROC3_SETATTR: {
		func() xdrtest.Message { return new(nfs3.SETATTR3args) },
		func() xdrtest.Message { return new(nfs3.SETATTR3res) },
	},
	nfs3.NFSPROC3_LOOKUP: {
		func() xdrtest.Message { return new(nfs3.LOOKUP3args) },
		func() xdrtest.Message { return new(nfs3.LOOKUP3res) },
	},
	nfs3.NFSPROC3_ACCESS: {
		func() xdrtest.Message { return new(nfs3.ACCESS3args) },
		func() xdrtest.Message { return new(nfs3.ACCESS3res) },
	},
	nfs3.NFSPROC3_READLINK: {
		func() xdrtest.Message { return new(nfs3.READLINK3args) },
		func() xdrtest.Message { return new(nfs3.READLINK3res) },
	},
	nfs3.NFSPROC3_READ: {
		func() xdrtest.Message { return new(nfs3.READ3args) },
		func() xdrtest.Message { return new(nfs3.READ3res) },
	},
	nfs3.NFSPROC3_WRITE: {
		func() xdrtest.Message { return new(nfs3.WRITE3args) },
		func() xdrtest.Message { return new(nfs3.WRITE3res) },
	},
	nfs3.NFSPROC3_CREATE: {
		func() xdrtest.Message { return new(nfs3.CREATE3args) },
		func() xdrtest.Message { return new(nfs3.CREATE3res) },
	},
	nfs3.NFSPROC3_MKDIR: {
		func() xdrtest.Message { return new(nfs3.MKDIR3args) },
		func() xdrtest.Message { return new(nfs3.MKDIR3res) },
	},
	nfs3.NFSPROC3_SYMLINK: {
		func() xdrtest.Message { return new(nfs3.SYMLINK3args) },
		func() xdrtest.Message { return new(nfs3.SYMLINK3res) },
	},
	nfs3.NFSPROC3_MKNOD: {
		func() xdrtest.Message { return new(nfs3.MKNOD3args) },
		func() xdrtest.Message { return new(nfs3.MKNOD3res) },
	},
	nfs3.NFSPROC3_REMOVE: {
		func() xdrtest.Message { return new(nfs3.REMOVE3args) },
		func() xdrtest.Message { return new(nfs3.REMOVE3res) },
	},
	nfs3.NFSPROC3_RMDIR: {
		func() xdrtest.Message { return new(nfs3.RMDIR3args) },
		func() xdrtest.Message { return new(nfs3.RMDIR3res) },
	},
	nfs3.NFSPROC3_RENAME: {
		func() xdrtest.Message { return new(nfs3.RENAME3args) },
		func() xdrtest.Message { return new(nfs3.RENAME3res) },
	},
	nfs3.NFSPROC3_LINK: {
		func() xdrtest.Message { return new(nfs3.LINK3args) },
		func() xdrtest.Message { return new(nfs3.LINK3res) },
	},
	nfs3.NFSPROC3_READDIR: {
		func() xdrtest.Message { return new(nfs3.READDIR3args) },
		func() xdrtest.Message { return new(nfs3.READDIR3res) },
	},
	nfs3.NFSPROC3_READDIRPLUS: {
		func() xdrtest.Message { return new(nfs3.READDIRPLUS3args) },
		func() xdrtest.Message { return new(nfs3.READDIRPLUS3res) },
	},
	nfs3.NFSPROC3_FSSTAT: {
		func() xdrtest.Message { return new(nfs3.FSSTAT3args) },
		func() xdrtest.Message { return new(nfs3.FSSTAT3res) },
	},
	nfs3.NFSPROC3_FSINFO: {
		func() xdrtest.Message { return new(nfs3.FSINFO3args) },
		func() xdrtest.Message { return new(nfs3.FSINFO3res) },
	},
	nfs3.NFSPROC3_PATHCONF: {
		func() xdrtest.Message { return new(nfs3.PATHCONF3args) },
		func() xdrtest.Message { return new(nfs3.PATHCONF3res) },
	},
	nfs3.NFSPROC3_COMMIT: {
		func() xdrtest.Message { return new(nfs3.COMMIT3args) },
		func() xdrtest.Message { return new(nfs3.COMMIT3res) },
	},
}

func TestEveryProcedureHasANameAndMessages(t *testing.T) {
	require.Len(t, nfs3.NFSV3Names, 22)
	require.Len(t, messages, 22)
	for i, name := range nfs3.NFSV3Names {
		require.NotEmpty(t, name)
		require.Equal(t, name != "NULL", messages[i][0] != nil && messages[i][1] != nil)
	}
}

func TestMessagesOfEveryProcedure(t *testing.T) {
	for i, name := range nfs3.NFSV3Names {
		if name == "NULL" {
			continue
		}
		t.Run(name+"/arguments", func(t *testing.T) { xdrtest.Check(t, messages[i][0]) })
		t.Run(name+"/results", func(t *testing.T) { xdrtest.Check(t, messages[i][1]) })
	}
}

func TestHandleAboveItsBoundIsRefusedBothWays(t *testing.T) {
	long := nfs3.NfsFh3{Data: make([]byte, nfs3.NFS3_FHSIZE+1)}
	var e xdr.Encoder
	e.Reset(make([]byte, 100))
	long.Encode(&e)
	require.ErrorIs(t, e.Err(), xdr.ErrTooLong)
	e.Truncate(0)
	e.Opaque(long.Data)
	var d xdr.Decoder
	d.Reset(e.Bytes())
	long.Decode(&d)
	require.ErrorIs(t, d.Err(), xdr.ErrTooLong)
}

func TestEnumeratorsThatDoNotExistAreRefusedBothWays(t *testing.T) {
	var e xdr.Encoder
	e.Reset(make([]byte, 100))
	nfs3.Nfsstat3(3).Encode(&e)
	require.ErrorIs(t, e.Err(), xdr.ErrValue)
	for _, v := range []uint32{0, 8, 1 << 31} {
		e.Truncate(0)
		e.Uint32(v)
		var d xdr.Decoder
		d.Reset(e.Bytes())
		var typ nfs3.Ftype3
		typ.Decode(&d)
		require.ErrorIs(t, d.Err(), xdr.ErrValue)
	}
	require.Equal(t, "NFS3ERR_STALE", nfs3.NFS3ERR_STALE.String())
	require.Equal(t, "nfsstat3(3)", nfs3.Nfsstat3(3).String())
}

func TestEntriesReuseTheMemoryOfTheLastReply(t *testing.T) {
	res := nfs3.READDIRPLUS3res{Status: nfs3.NFS3_OK}
	res.Resok.Reply.Entries = []nfs3.Entryplus3{{Name: []byte("a")}, {Name: []byte("b"), Cookie: 2}}
	b := xdrtest.Encode(t, &res)
	var d xdr.Decoder
	var into nfs3.READDIRPLUS3res
	decode := func() {
		d.Reset(b)
		into.Decode(&d)
	}
	decode()
	require.Zero(t, testing.AllocsPerRun(10, decode))
	require.NoError(t, d.Err())
	require.Len(t, into.Resok.Reply.Entries, 2)
	require.Equal(t, nfs3.Filename3("b"), into.Resok.Reply.Entries[1].Name)
}

func FuzzGETATTR(f *testing.F)     { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_GETATTR][:]...) }
func FuzzSETATTR(f *testing.F)     { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_SETATTR][:]...) }
func FuzzLOOKUP(f *testing.F)      { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_LOOKUP][:]...) }
func FuzzACCESS(f *testing.F)      { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_ACCESS][:]...) }
func FuzzREADLINK(f *testing.F)    { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_READLINK][:]...) }
func FuzzREAD(f *testing.F)        { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_READ][:]...) }
func FuzzWRITE(f *testing.F)       { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_WRITE][:]...) }
func FuzzCREATE(f *testing.F)      { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_CREATE][:]...) }
func FuzzMKDIR(f *testing.F)       { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_MKDIR][:]...) }
func FuzzSYMLINK(f *testing.F)     { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_SYMLINK][:]...) }
func FuzzMKNOD(f *testing.F)       { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_MKNOD][:]...) }
func FuzzREMOVE(f *testing.F)      { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_REMOVE][:]...) }
func FuzzRMDIR(f *testing.F)       { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_RMDIR][:]...) }
func FuzzRENAME(f *testing.F)      { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_RENAME][:]...) }
func FuzzLINK(f *testing.F)        { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_LINK][:]...) }
func FuzzREADDIR(f *testing.F)     { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_READDIR][:]...) }
func FuzzREADDIRPLUS(f *testing.F) { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_READDIRPLUS][:]...) }
func FuzzFSSTAT(f *testing.F)      { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_FSSTAT][:]...) }
func FuzzFSINFO(f *testing.F)      { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_FSINFO][:]...) }
func FuzzPATHCONF(f *testing.F)    { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_PATHCONF][:]...) }
func FuzzCOMMIT(f *testing.F)      { xdrtest.Fuzz(f, messages[nfs3.NFSPROC3_COMMIT][:]...) }
