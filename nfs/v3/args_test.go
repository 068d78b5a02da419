package nfs3

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

func (a *args) sattr(s *vfs.SetAttr) *args {
	for _, f := range []struct {
		has bool
		v   uint32
	}{{s.HasMode, s.Mode}, {s.HasUID, s.UID}, {s.HasGID, s.GID}} {
		if f.has {
			a.u32(1, f.v)
		} else {
			a.u32(0)
		}
	}
	if s.HasSize {
		a.u32(1).u64(s.Size)
	} else {
		a.u32(0)
	}
	for _, f := range []struct {
		how vfs.TimeHow
		t   vfs.Time
	}{{s.AtimeHow, s.Atime}, {s.MtimeHow, s.Mtime}} {
		a.u32(uint32(f.how))
		if f.how == vfs.TimeClient {
			a.u32(uint32(f.t.Sec), f.t.Nsec)
		}
	}
	return a
}

// handCodecs decode arguments as the procedures do and encode what they found.
// The generated type that does the same is beside it. They report false for what
// the procedures do not keep: strings that are too long.
var handCodecs = [procCount]struct {
	hand func(d *xdr.Decoder, a *args) bool
	gen  func() codec
}{
	procGetattr: {handle, func() codec { return new(GETATTR3args) }},
	procSetattr: {func(d *xdr.Decoder, a *args) bool {
		var x setattrArgs
		var set vfs.SetAttr
		x.decode(d, &set)
		a.opaque(x.fh).sattr(&set)
		if x.guarded {
			a.u32(1, uint32(x.ctime.Sec), x.ctime.Nsec)
		} else {
			a.u32(0)
		}
		return true
	}, func() codec { return new(SETATTR3args) }},
	procLookup: {entry, func() codec { return new(LOOKUP3args) }},
	procAccess: {func(d *xdr.Decoder, a *args) bool {
		var x accessArgs
		x.decode(d)
		a.opaque(x.fh).u32(x.rights)
		return true
	}, func() codec { return new(ACCESS3args) }},
	procReadlink: {handle, func() codec { return new(READLINK3args) }},
	procRead: {func(d *xdr.Decoder, a *args) bool {
		var x readArgs
		x.decode(d)
		a.opaque(x.fh).u64(x.offset).u32(x.count)
		return true
	}, func() codec { return new(READ3args) }},
	procWrite: {func(d *xdr.Decoder, a *args) bool {
		var x writeArgs
		x.decode(d, nil)
		var data []byte
		for _, b := range x.data {
			data = append(data, b...)
		}
		a.opaque(x.fh).u64(x.offset).u32(x.count, uint32(x.stable)).opaque(data)
		return true
	}, func() codec { return new(WRITE3args) }},
	procCreate: {func(d *xdr.Decoder, a *args) bool {
		var x createArgs
		var set vfs.SetAttr
		x.decode(d, &set)
		a.opaque(x.where.dir).opaque(x.where.name).u32(uint32(x.how))
		if x.how == vfs.Exclusive {
			a.u64(x.verf)
		} else {
			a.sattr(&set)
		}
		return len(x.where.name) <= nameMax
	}, func() codec { return new(CREATE3args) }},
	procMkdir: {func(d *xdr.Decoder, a *args) bool {
		ok := entry(d, a)
		var set vfs.SetAttr
		decodeSattr(d, &set)
		a.sattr(&set)
		return ok
	}, func() codec { return new(MKDIR3args) }},
	procSymlink: {func(d *xdr.Decoder, a *args) bool {
		var x symlinkArgs
		var set vfs.SetAttr
		x.decode(d, &set)
		a.opaque(x.where.dir).opaque(x.where.name).sattr(&set).opaque(x.target)
		return len(x.where.name) <= nameMax && len(x.target) <= targetMax
	}, func() codec { return new(SYMLINK3args) }},
	procMknod: {func(d *xdr.Decoder, a *args) bool {
		var x mknodArgs
		var set vfs.SetAttr
		x.decode(d, &set)
		a.opaque(x.where.dir).opaque(x.where.name).u32(uint32(x.kind))
		switch x.kind {
		case vfs.TypeBlk, vfs.TypeChr:
			a.sattr(&set).u32(x.major, x.minor)
		case vfs.TypeSock, vfs.TypeFifo:
			a.sattr(&set)
		default:
		}
		return len(x.where.name) <= nameMax
	}, func() codec { return new(MKNOD3args) }},
	procRemove: {entry, func() codec { return new(REMOVE3args) }},
	procRmdir:  {entry, func() codec { return new(RMDIR3args) }},
	procRename: {func(d *xdr.Decoder, a *args) bool {
		from := entry(d, a)
		return entry(d, a) && from
	}, func() codec { return new(RENAME3args) }},
	procLink: {func(d *xdr.Decoder, a *args) bool {
		var x linkArgs
		x.decode(d)
		a.opaque(x.fh).opaque(x.where.dir).opaque(x.where.name)
		return len(x.where.name) <= nameMax
	}, func() codec { return new(LINK3args) }},
	procReaddir: {func(d *xdr.Decoder, a *args) bool {
		var x dirArgs
		x.decodeReaddir(d)
		a.opaque(x.fh).u64(x.cookie, x.verf).u32(x.max)
		return true
	}, func() codec { return new(READDIR3args) }},
	procReaddirplus: {func(d *xdr.Decoder, a *args) bool {
		var x dirArgs
		x.decodeReaddirplus(d)
		a.opaque(x.fh).u64(x.cookie, x.verf).u32(x.names, x.max)
		return true
	}, func() codec { return new(READDIRPLUS3args) }},
	procFsstat:   {handle, func() codec { return new(FSSTAT3args) }},
	procFsinfo:   {handle, func() codec { return new(FSINFO3args) }},
	procPathconf: {handle, func() codec { return new(PATHCONF3args) }},
	procCommit: {func(d *xdr.Decoder, a *args) bool {
		var x commitArgs
		x.decode(d)
		a.opaque(x.fh).u64(x.offset).u32(x.count)
		return true
	}, func() codec { return new(COMMIT3args) }},
}

func handle(d *xdr.Decoder, a *args) bool {
	a.opaque(decodeHandle(d))
	return true
}

func entry(d *xdr.Decoder, a *args) bool {
	var x dirop
	x.decode(d)
	a.opaque(x.dir).opaque(x.name)
	return len(x.name) <= nameMax
}

// FuzzArgumentsDecodeAsTheGeneratedCodecDoes gives the same bytes, in segments
// and in one piece, to both.
func FuzzArgumentsDecodeAsTheGeneratedCodecDoes(f *testing.F) {
	fh := []byte("a handle of some length")
	for proc, a := range examples(fh, fh) {
		if proc != procNull {
			f.Add(uint8(proc), a.b, uint8(0))
			f.Add(uint8(proc), a.b, uint8(5))
		}
	}
	for _, s := range []vfs.SetAttr{
		{HasMode: true, Mode: 1, HasUID: true, UID: 2, HasGID: true, GID: 3, HasSize: true, Size: 4},
		{AtimeHow: vfs.TimeClient, Atime: vfs.Time{Sec: 5, Nsec: 6}, MtimeHow: vfs.TimeServer},
	} {
		f.Add(uint8(procSetattr), on(fh).sattr(&s).u32(1, 7, 8).b, uint8(0))
		f.Add(uint8(procMknod), in(fh, "n").u32(3).sattr(&s).u32(7, 8).b, uint8(0))
	}
	f.Add(uint8(procCreate), in(fh, "n").u32(2, 1, 2).b, uint8(0))
	f.Fuzz(func(t *testing.T, proc uint8, b []byte, segment uint8) {
		if proc == procNull || proc >= procCount {
			return
		}
		var hand, gen xdr.Decoder
		hand.Reset(b)
		if segment > 0 && len(b) > 0 {
			hand.ResetSegments(cut(b, int(segment)))
		}
		gen.Reset(b)
		c := &handCodecs[proc]
		want := c.gen()
		want.Decode(&gen)
		var got args
		kept := c.hand(&hand, &got)
		require.Equal(t, gen.Err() != nil, hand.Err() != nil, "generated: %v, by hand: %v", gen.Err(), hand.Err())
		if gen.Err() != nil {
			return
		}
		require.Equal(t, gen.Left(), hand.Left())
		if !kept {
			return
		}
		var e xdr.Encoder
		e.Reset(make([]byte, len(b)+64))
		want.Encode(&e)
		require.NoError(t, e.Err())
		require.Equal(t, e.Bytes(), got.b)
	})
}

func TestOverlongStringsAreSkippedWhole(t *testing.T) {
	for _, n := range []int{256, 257, 258, 259, 5000} {
		var d xdr.Decoder
		b := new(args).opaque(make([]byte, n)).u32(77).b
		d.ResetSegments(cut(b, 13))
		require.Len(t, decodeString(&d, nameMax), targetMax+1)
		require.EqualValues(t, 77, d.Uint32())
		require.NoError(t, d.Err())

		binary.BigEndian.PutUint32(b, uint32(n+8))
		d.Reset(b)
		decodeString(&d, nameMax)
		require.ErrorIs(t, d.Err(), xdr.ErrShort)
	}
}
