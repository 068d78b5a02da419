package v3

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// badName returns arguments of a procedure that takes a name.
func badName(proc int, dir []byte, name string) *args {
	switch proc {
	case nfs3.NFSPROC3_CREATE:
		return in(dir, name).u32(1).keep()
	case nfs3.NFSPROC3_MKDIR:
		return in(dir, name).keep()
	case nfs3.NFSPROC3_SYMLINK:
		return in(dir, name).keep().str("target")
	case nfs3.NFSPROC3_MKNOD:
		return in(dir, name).u32(uint32(vfs.TypeFifo)).keep()
	case nfs3.NFSPROC3_RENAME:
		return &args{append(in(dir, name).b, in(dir, "good").b...)}
	case nfs3.NFSPROC3_LINK:
		return &args{append(on(dir).b, in(dir, name).b...)}
	}
	return in(dir, name)
}

// namers are the procedures that take names of entries.
var namers = []int{
	nfs3.NFSPROC3_LOOKUP,
	nfs3.NFSPROC3_CREATE,
	nfs3.NFSPROC3_MKDIR,
	nfs3.NFSPROC3_SYMLINK,
	nfs3.NFSPROC3_MKNOD,
	nfs3.NFSPROC3_REMOVE,
	nfs3.NFSPROC3_RMDIR,
	nfs3.NFSPROC3_RENAME,
	nfs3.NFSPROC3_LINK,
}

func TestNamesThatCannotBe(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	dir := r.root(0)
	for _, c := range []struct {
		name, entry string
		want        nfs3.Nfsstat3
	}{
		{"empty", "", nfs3.NFS3ERR_ACCES},
		{"with a slash", "a/b", nfs3.NFS3ERR_ACCES},
		{"a slash", "/", nfs3.NFS3ERR_ACCES},
		{"climbing", "../x", nfs3.NFS3ERR_ACCES},
		{"with NUL", "a\x00b", nfs3.NFS3ERR_ACCES},
		{"NUL", "\x00", nfs3.NFS3ERR_ACCES},
		{"256 bytes", strings.Repeat("n", 256), nfs3.NFS3ERR_NAMETOOLONG},
		{"257 bytes", strings.Repeat("n", 257), nfs3.NFS3ERR_NAMETOOLONG},
		{"64 KiB", strings.Repeat("n", 1<<16), nfs3.NFS3ERR_NAMETOOLONG},
		{"long and with a slash", strings.Repeat("/", 300), nfs3.NFS3ERR_NAMETOOLONG},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, segment := range []int{0, 61} {
				r.segment = segment
				for _, proc := range namers {
					require.Equal(t, c.want, r.status(proc, badName(proc, dir, c.entry)), name(proc))
				}
				require.Equal(
					t,
					c.want,
					r.status(nfs3.NFSPROC3_RENAME, &args{append(in(dir, "good").b, in(dir, c.entry).b...)}),
					"RENAME to",
				)
			}
		})
	}
	require.Zero(t, f.view.calls, "no such name reached the file system")
}

func TestNamesAtTheLimit(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	for _, proc := range namers {
		for _, n := range []string{"n", "...", ".x", "\xff\xfe", "\n", strings.Repeat("n", 255)} {
			require.Equal(
				t,
				nfs3.NFS3_OK,
				r.status(proc, badName(proc, r.root(0), n)),
				"%q in %s",
				n,
				name(proc),
			)
			require.Equal(t, n, f.view.name)
		}
	}
}

func TestDotAndDotDot(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	dir := r.root(0)
	for _, c := range []struct {
		proc        int
		dot, dotdot nfs3.Nfsstat3
	}{
		{nfs3.NFSPROC3_CREATE, nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_EXIST},
		{nfs3.NFSPROC3_MKDIR, nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_EXIST},
		{nfs3.NFSPROC3_SYMLINK, nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_EXIST},
		{nfs3.NFSPROC3_MKNOD, nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_EXIST},
		{nfs3.NFSPROC3_LINK, nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_EXIST},
		{nfs3.NFSPROC3_REMOVE, nfs3.NFS3ERR_INVAL, nfs3.NFS3ERR_INVAL},
		{nfs3.NFSPROC3_RMDIR, nfs3.NFS3ERR_INVAL, nfs3.NFS3ERR_EXIST},
		{nfs3.NFSPROC3_RENAME, nfs3.NFS3ERR_INVAL, nfs3.NFS3ERR_INVAL},
	} {
		require.Equal(t, c.dot, r.status(c.proc, badName(c.proc, dir, ".")), name(c.proc))
		require.Equal(t, c.dotdot, r.status(c.proc, badName(c.proc, dir, "..")), name(c.proc))
	}
	require.Equal(
		t,
		nfs3.NFS3ERR_INVAL,
		r.status(nfs3.NFSPROC3_RENAME, &args{append(in(dir, "a").b, in(dir, "..").b...)}),
	)
	require.Zero(t, f.view.calls)

	for _, n := range []string{".", ".."} {
		require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_LOOKUP, in(dir, n)))
		require.Equal(t, n, f.view.name, "LOOKUP leaves it to the file system")
	}
}

func TestTargetsOfSymbolicLinks(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	for _, c := range []struct {
		name, target string
		want         nfs3.Nfsstat3
	}{
		{"one byte", "x", nfs3.NFS3_OK},
		{"any text", "../../..//etc/\xff\n passwd", nfs3.NFS3_OK},
		{"4095 bytes", strings.Repeat("t", 4095), nfs3.NFS3_OK},
		{"4096 bytes", strings.Repeat("t", 4096), nfs3.NFS3ERR_NAMETOOLONG},
		{"4097 bytes", strings.Repeat("t", 4097), nfs3.NFS3ERR_NAMETOOLONG},
		{"100 KiB", strings.Repeat("t", 100<<10), nfs3.NFS3ERR_NAMETOOLONG},
		{"empty", "", nfs3.NFS3ERR_INVAL},
		{"with NUL", "a\x00b", nfs3.NFS3ERR_INVAL},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, segment := range []int{0, 1000} {
				r.segment = segment
				f.view.calls, f.view.name2 = 0, ""
				got := r.status(nfs3.NFSPROC3_SYMLINK, in(r.root(0), "link").keep().str(c.target))
				require.Equal(t, c.want, got)
				if got == nfs3.NFS3_OK {
					require.Equal(t, c.target, f.view.name2)
				} else {
					require.Zero(t, f.view.calls)
				}
			}
		})
	}
}

func TestLengthsBeyondTheRecordAreGarbage(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	dir := r.root(0)
	for _, n := range []uint32{8, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 4, 1<<32 - 3, 1<<32 - 1} {
		for _, proc := range []int{nfs3.NFSPROC3_LOOKUP, nfs3.NFSPROC3_REMOVE, nfs3.NFSPROC3_RMDIR} {
			require.Equal(t, rpc.GarbageArgs, r.outcome(proc, on(dir).u32(n, 0).b), "a name of %d bytes", n)
		}
		require.Equal(
			t,
			rpc.GarbageArgs,
			r.outcome(nfs3.NFSPROC3_SYMLINK, in(dir, "l").keep().u32(n, 0).b),
			"a target of %d bytes",
			n,
		)
		require.Equal(
			t,
			rpc.GarbageArgs,
			r.outcome(nfs3.NFSPROC3_WRITE, on(dir).u64(0).u32(n, 0, n, 0).b),
			"data of %d bytes",
			n,
		)
		require.Equal(
			t,
			rpc.GarbageArgs,
			r.outcome(nfs3.NFSPROC3_GETATTR, (&args{}).u32(n, 0).b),
			"a handle of %d bytes",
			n,
		)
	}
	require.Zero(t, f.view.calls)
}

func TestEveryProperPrefixOfTheArgumentsIsGarbage(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	for proc, a := range examples(r.root(0), r.root(0)) {
		for n := 0; n < len(a.b); n += 4 {
			require.Equal(
				t,
				rpc.GarbageArgs,
				r.outcome(proc, a.b[:n]),
				"%d of %d bytes of %s",
				n,
				len(a.b),
				name(proc),
			)
		}
	}
	require.Zero(t, f.view.calls)
}

func TestBytesBehindTheArgumentsAreAccepted(t *testing.T) {
	r, _ := fakeRig(t, export.Options{})
	for proc, a := range examples(r.root(0), r.root(0)) {
		a.u32(1, 2, 3)
		if proc == nfs3.NFSPROC3_NULL {
			require.Empty(t, r.raw(proc, a.b))
			continue
		}
		require.Equal(t, nfs3.NFS3_OK, r.status(proc, a), name(proc))
	}
}
