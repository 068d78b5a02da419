package nfs3

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

func genTime(t vfs.Time) Nfstime3 {
	sec, nsec := wireTime(t)
	return Nfstime3{Seconds: sec, Nseconds: nsec}
}

func genAttr(a *vfs.Attr) Fattr3 {
	return Fattr3{
		Type: Ftype3(a.Type), Mode: Mode3(a.Mode), Nlink: a.Nlink, Uid: Uid3(a.UID), Gid: Gid3(a.GID),
		Size: Size3(a.Size), Used: Size3(a.Used), Rdev: Specdata3{Specdata1: a.Major, Specdata2: a.Minor},
		Fsid: a.FSID, Fileid: Fileid3(a.FileID),
		Atime: genTime(a.Atime), Mtime: genTime(a.Mtime), Ctime: genTime(a.Ctime),
	}
}

func genPostOp(a *vfs.Attr, has bool) PostOpAttr {
	if !has {
		return PostOpAttr{}
	}
	return PostOpAttr{AttributesFollow: true, Attributes: genAttr(a)}
}

func genWCC(w *vfs.WCC) WccData {
	g := WccData{After: genPostOp(&w.After, w.After.Filled())}
	if w.HasBefore {
		g.Before = PreOpAttr{AttributesFollow: true, Attributes: WccAttr{
			Size: Size3(w.Before.Size), Mtime: genTime(w.Before.Mtime), Ctime: genTime(w.Before.Ctime),
		}}
	}
	return g
}

// encoded returns what a codec writes.
func encoded(t testing.TB, c interface{ Encode(*xdr.Encoder) }) []byte {
	var e xdr.Encoder
	e.Reset(make([]byte, 1<<10))
	c.Encode(&e)
	require.NoError(t, e.Err())
	return e.Bytes()
}

// noisyAttr makes attributes of arbitrary bytes, of a type that exists.
func noisyAttr(b []byte) (a vfs.Attr) {
	var d xdr.Decoder
	d.Reset(append(b, make([]byte, 128)...))
	a.Type = vfs.FileType(d.Uint32()%7 + 1)
	a.Mode, a.Nlink, a.UID, a.GID = d.Uint32(), d.Uint32(), d.Uint32(), d.Uint32()
	a.Size, a.Used, a.FSID, a.FileID = d.Uint64(), d.Uint64(), d.Uint64(), d.Uint64()
	a.Major, a.Minor = d.Uint32(), d.Uint32()
	for _, t := range []*vfs.Time{&a.Atime, &a.Mtime, &a.Ctime} {
		t.Sec, t.Nsec = d.Int64()>>16, d.Uint32()
	}
	return a
}

func FuzzAttributesEncodeAsTheGeneratedCodecDoes(f *testing.F) {
	f.Add([]byte{}, true, true)
	f.Add([]byte("\x00\x00\x00\x02some attributes of no great importance, long enough for all the fields there are"), true, false)
	f.Fuzz(func(t *testing.T, b []byte, before, after bool) {
		a := noisyAttr(b)
		a.Mask = vfs.AttrBasic
		buf := make([]byte, 1<<10)
		var e xdr.Encoder

		e.Reset(buf)
		encodeFattr(&e, &a)
		g := genAttr(&a)
		require.Equal(t, encoded(t, &g), e.Bytes())

		e.Reset(buf)
		if !after {
			a.Mask = 0
		}
		encodePostOpAttr(&e, &a)
		p := genPostOp(&a, after)
		require.Equal(t, encoded(t, &p), e.Bytes())

		e.Reset(buf)
		n := vfs.Entry{Attr: a}
		encodeEntryAttr(&e, &n)
		require.Equal(t, encoded(t, &p), e.Bytes())

		w := vfs.WCC{HasBefore: before, After: a, Before: vfs.Before{Size: a.Used, Mtime: a.Atime, Ctime: a.Ctime}}
		e.Reset(buf)
		encodeWCC(&e, &w)
		d := genWCC(&w)
		require.Equal(t, encoded(t, &d), e.Bytes())

		for room := range e.Len() {
			e.Reset(buf[:room])
			encodeWCC(&e, &w)
			require.ErrorIs(t, e.Err(), xdr.ErrShort)
		}
	})
}

func TestTimesOutsideTheProtocolsRangeAreClipped(t *testing.T) {
	for _, c := range []struct {
		name      string
		in        vfs.Time
		sec, nsec uint32
	}{
		{"the epoch", vfs.Time{}, 0, 0},
		{"before it", vfs.Time{Sec: -1, Nsec: 5}, 0, 0},
		{"beyond 2038", vfs.Time{Sec: 1 << 31, Nsec: 5}, 1 << 31, 5},
		{"the last one", vfs.Time{Sec: math.MaxUint32, Nsec: 999_999_999}, math.MaxUint32, 999_999_999},
		{"beyond the last one", vfs.Time{Sec: math.MaxUint32 + 1}, math.MaxUint32, 999_999_999},
	} {
		t.Run(c.name, func(t *testing.T) {
			sec, nsec := wireTime(c.in)
			require.Equal(t, c.sec, sec)
			require.Equal(t, c.nsec, nsec)
		})
	}
}

func TestSetattrHandsTheAttributesOn(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	fh := r.root(0)
	for _, c := range []struct {
		name string
		a    *args
		want vfs.SetAttr
	}{
		{"nothing", on(fh).keep(), vfs.SetAttr{}},
		{"mode", on(fh).mode(0o4755), vfs.SetAttr{HasMode: true, Mode: 0o4755}},
		{"mode with the type's bits", on(fh).mode(0o104755), vfs.SetAttr{HasMode: true, Mode: 0o4755}},
		{"user", on(fh).u32(0, 1, 7, 0, 0, 0, 0), vfs.SetAttr{HasUID: true, UID: 7}},
		{"group", on(fh).u32(0, 0, 1, 8, 0, 0, 0), vfs.SetAttr{HasGID: true, GID: 8}},
		{"size", on(fh).size(1 << 40), vfs.SetAttr{HasSize: true, Size: 1 << 40}},
		{"server's time", on(fh).u32(0, 0, 0, 0, 1, 1), vfs.SetAttr{AtimeHow: vfs.TimeServer, MtimeHow: vfs.TimeServer}},
		{"client's times", on(fh).u32(0, 0, 0, 0, 2, 1<<32-1, 999_999_999, 2, 3, 4), vfs.SetAttr{
			AtimeHow: vfs.TimeClient, Atime: vfs.Time{Sec: 1<<32 - 1, Nsec: 999_999_999},
			MtimeHow: vfs.TimeClient, Mtime: vfs.Time{Sec: 3, Nsec: 4},
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, NFS3_OK, r.status(procSetattr, c.a.u32(0)))
			require.Equal(t, c.want, f.view.set)
			require.False(t, f.view.guarded)
		})
	}
	t.Run("guard", func(t *testing.T) {
		require.Equal(t, NFS3_OK, r.status(procSetattr, on(fh).keep().u32(1, 16, 17)))
		require.True(t, f.view.guarded)
		require.Equal(t, vfs.Time{Sec: 16, Nsec: 17}, f.view.guard)
		f.view.st = vfs.NotSync
		require.Equal(t, NFS3ERR_NOT_SYNC, r.status(procSetattr, on(fh).keep().u32(1, 1, 1)))
		f.view.st = vfs.OK
	})
}

func TestAttributesThatCannotBeSet(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	fh := r.root(0)
	long := func(a *args) *args { return a.u32(0, 0, 0, 0, 2, 1, 1_000_000_000, 0) }
	for _, a := range []*args{
		on(fh).size(1 << 63).u32(0), on(fh).size(1<<64 - 1).u32(0), on(fh).size(1<<63 + 4096).u32(0),
		long(on(fh)).u32(0),
		on(fh).u32(0, 0, 0, 0, 0, 2, 1, 1<<32-1).u32(0),
	} {
		require.Equal(t, NFS3ERR_INVAL, r.status(procSetattr, a))
	}
	require.Equal(t, NFS3ERR_INVAL, r.status(procCreate, in(fh, "n").u32(0).size(1<<63)))
	require.Equal(t, NFS3ERR_INVAL, r.status(procCreate, long(in(fh, "n").u32(1))))
	require.Equal(t, NFS3ERR_INVAL, r.status(procMkdir, long(in(fh, "n"))))
	require.Equal(t, NFS3ERR_INVAL, r.status(procSymlink, long(in(fh, "n")).str("t")))
	require.Equal(t, NFS3ERR_INVAL, r.status(procMknod, long(in(fh, "n").u32(7))))
	require.Zero(t, f.view.calls)

	t.Run("the size of what has none is not set", func(t *testing.T) {
		require.Equal(t, NFS3_OK, r.status(procMkdir, in(fh, "n").size(1<<63)))
		require.Zero(t, f.view.set.HasSize)
		require.Equal(t, NFS3_OK, r.status(procSymlink, in(fh, "n").size(9).str("t")))
		require.Zero(t, f.view.set.HasSize)
		require.Equal(t, NFS3_OK, r.status(procMknod, in(fh, "n").u32(7).size(9)))
		require.Zero(t, f.view.set.HasSize)
	})
	t.Run("a way to set times that there is not", func(t *testing.T) {
		require.Equal(t, rpc.GarbageArgs, r.outcome(procSetattr, on(fh).u32(0, 0, 0, 0, 3, 0, 0, 0, 0).b))
	})
	t.Run("a boolean of two", func(t *testing.T) {
		require.Equal(t, rpc.GarbageArgs, r.outcome(procSetattr, on(fh).u32(2, 0, 0, 0, 0, 0, 0, 0).b))
	})
}
