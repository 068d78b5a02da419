package v3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

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
			require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_SETATTR, c.a.u32(0)))
			require.Equal(t, c.want, f.view.set)
			require.False(t, f.view.guarded)
		})
	}
	t.Run("guard", func(t *testing.T) {
		require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_SETATTR, on(fh).keep().u32(1, 16, 17)))
		require.True(t, f.view.guarded)
		require.Equal(t, vfs.Time{Sec: 16, Nsec: 17}, f.view.guard)
		f.view.st = vfs.NotSync
		require.Equal(t, nfs3.NFS3ERR_NOT_SYNC, r.status(nfs3.NFSPROC3_SETATTR, on(fh).keep().u32(1, 1, 1)))
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
		require.Equal(t, nfs3.NFS3ERR_INVAL, r.status(nfs3.NFSPROC3_SETATTR, a))
	}
	require.Equal(t, nfs3.NFS3ERR_INVAL, r.status(nfs3.NFSPROC3_CREATE, in(fh, "n").u32(0).size(1<<63)))
	require.Equal(t, nfs3.NFS3ERR_INVAL, r.status(nfs3.NFSPROC3_CREATE, long(in(fh, "n").u32(1))))
	require.Equal(t, nfs3.NFS3ERR_INVAL, r.status(nfs3.NFSPROC3_MKDIR, long(in(fh, "n"))))
	require.Equal(t, nfs3.NFS3ERR_INVAL, r.status(nfs3.NFSPROC3_SYMLINK, long(in(fh, "n")).str("t")))
	require.Equal(t, nfs3.NFS3ERR_INVAL, r.status(nfs3.NFSPROC3_MKNOD, long(in(fh, "n").u32(7))))
	require.Zero(t, f.view.calls)

	t.Run("the size of what has none is not set", func(t *testing.T) {
		require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_MKDIR, in(fh, "n").size(1<<63)))
		require.Zero(t, f.view.set.HasSize)
		require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_SYMLINK, in(fh, "n").size(9).str("t")))
		require.Zero(t, f.view.set.HasSize)
		require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_MKNOD, in(fh, "n").u32(7).size(9)))
		require.Zero(t, f.view.set.HasSize)
	})
	t.Run("a way to set times that there is not", func(t *testing.T) {
		require.Equal(
			t,
			rpc.GarbageArgs,
			r.outcome(nfs3.NFSPROC3_SETATTR, on(fh).u32(0, 0, 0, 0, 3, 0, 0, 0, 0).b),
		)
	})
	t.Run("a boolean of two", func(t *testing.T) {
		require.Equal(
			t,
			rpc.GarbageArgs,
			r.outcome(nfs3.NFSPROC3_SETATTR, on(fh).u32(2, 0, 0, 0, 0, 0, 0, 0).b),
		)
	})
}
