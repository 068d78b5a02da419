package v3

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// protocolStatuses are all values of nfsstat3 (RFC 1813, section 2.6).
var protocolStatuses = []nfs3.Nfsstat3{
	nfs3.NFS3_OK, nfs3.NFS3ERR_PERM, nfs3.NFS3ERR_NOENT, nfs3.NFS3ERR_IO, nfs3.NFS3ERR_NXIO, nfs3.NFS3ERR_ACCES, nfs3.NFS3ERR_EXIST, nfs3.NFS3ERR_XDEV,
	nfs3.NFS3ERR_NODEV, nfs3.NFS3ERR_NOTDIR, nfs3.NFS3ERR_ISDIR, nfs3.NFS3ERR_INVAL, nfs3.NFS3ERR_FBIG, nfs3.NFS3ERR_NOSPC, nfs3.NFS3ERR_ROFS,
	nfs3.NFS3ERR_MLINK, nfs3.NFS3ERR_NAMETOOLONG, nfs3.NFS3ERR_NOTEMPTY, nfs3.NFS3ERR_DQUOT, nfs3.NFS3ERR_STALE, nfs3.NFS3ERR_REMOTE,
	nfs3.NFS3ERR_BADHANDLE, nfs3.NFS3ERR_NOT_SYNC, nfs3.NFS3ERR_BAD_COOKIE, nfs3.NFS3ERR_NOTSUPP, nfs3.NFS3ERR_TOOSMALL, nfs3.NFS3ERR_SERVERFAULT,
	nfs3.NFS3ERR_BADTYPE, nfs3.NFS3ERR_JUKEBOX,
}

func TestEveryStatusHasOneOfTheProtocol(t *testing.T) {
	for st := range vfs.NumStatus {
		for proc := range procedures {
			got := nfs3.Nfsstat3(status(proc, st))
			require.Contains(t, protocolStatuses, got, "%v in %s", st, name(proc))
			require.Equal(
				t,
				st == vfs.OK,
				got == nfs3.NFS3_OK,
				"only OK is success: %v in %s",
				st,
				name(proc),
			)
		}
	}
	require.EqualValues(
		t,
		nfs3.NFS3ERR_SERVERFAULT,
		status(nfs3.NFSPROC3_READ, vfs.NumStatus),
		"an unknown status",
	)
	require.EqualValues(t, nfs3.NFS3ERR_SERVERFAULT, status(nfs3.NFSPROC3_READ, 255), "an unknown status")
}

func TestWhatNeedsARegularFileSaysInval(t *testing.T) {
	for proc := range procedures {
		want := nfs3.NFS3ERR_ISDIR
		switch proc {
		case nfs3.NFSPROC3_SETATTR, nfs3.NFSPROC3_READ, nfs3.NFSPROC3_WRITE, nfs3.NFSPROC3_COMMIT:
			want = nfs3.NFS3ERR_INVAL
		}
		require.EqualValues(t, want, status(proc, vfs.IsDir), name(proc))
	}
}

// fakeRig is a rig over one fake, whose View may sleep whatever the thread.
func fakeRig(t testing.TB, o export.Options) (*rig, *fakeFS) {
	f := newFake()
	return newRig(t, Config{}, export.Export{Path: "/x", FS: f, Options: o}), f
}

func TestEveryOutcomeOfEveryProcedureIsWellFormed(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	v := &f.view
	for proc, a := range examples(r.root(0), r.root(0)) {
		if proc == nfs3.NFSPROC3_NULL {
			require.Empty(t, r.raw(proc, nil))
			continue
		}
		for st := range vfs.NumStatus {
			for _, bare := range []bool{false, true} {
				for _, attrSt := range []vfs.Status{vfs.OK, vfs.IO} {
					v.st, v.bare, v.attrSt = st, bare, attrSt
					want := st
					switch proc {
					case nfs3.NFSPROC3_GETATTR, nfs3.NFSPROC3_FSINFO, nfs3.NFSPROC3_PATHCONF:
						v.attrSt, v.bare = st, false
					}
					require.EqualValues(
						t,
						status(proc, want),
						r.status(proc, a),
						"%s with %v",
						name(proc),
						st,
					)
				}
			}
		}
	}
}

func TestALaneWaitsForWhatIsNotInMemory(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	r.place = 0
	f.view.st, f.view.attrSt = vfs.Again, vfs.Again
	for proc, a := range examples(r.root(0), r.root(0)) {
		if proc != nfs3.NFSPROC3_NULL {
			require.Equal(t, rpc.Wait, r.outcome(proc, a.b), name(proc))
		}
	}
}

func TestALaneWaitsForTheAttributesOfAFailure(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	r.place = 0
	f.view.attrSt = vfs.Again
	root := r.root(0)

	t.Run("refused before it began", func(t *testing.T) {
		for proc, a := range examples(root, root) {
			if slices.Contains(namers, proc) {
				a = badName(proc, root, "a/b")
				require.Equal(t, rpc.Wait, r.outcome(proc, a.b), name(proc))
			}
		}
		require.Zero(t, f.view.calls)
	})
	t.Run("failed without a change", func(t *testing.T) {
		f.view.st, f.view.bare = vfs.IO, true
		for _, proc := range []int{nfs3.NFSPROC3_LOOKUP, nfs3.NFSPROC3_ACCESS, nfs3.NFSPROC3_READLINK, nfs3.NFSPROC3_READ, nfs3.NFSPROC3_FSSTAT, nfs3.NFSPROC3_READDIR, nfs3.NFSPROC3_READDIRPLUS} {
			require.Equal(t, rpc.Wait, r.outcome(proc, examples(root, root)[proc].b), name(proc))
		}
	})
	t.Run("never after a change was tried", func(t *testing.T) {
		f.view.st, f.view.bare = vfs.IO, true
		for _, proc := range changing {
			require.Equal(t, nfs3.NFS3ERR_IO, r.status(proc, examples(root, root)[proc]), name(proc))
		}
	})
}

func TestAgainOnAWorkerIsAServerFault(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.st, f.view.attrSt = vfs.Again, vfs.Again
	for proc, a := range examples(r.root(0), r.root(0)) {
		if proc != nfs3.NFSPROC3_NULL {
			require.Equal(t, nfs3.NFS3ERR_SERVERFAULT, r.status(proc, a), name(proc))
		}
	}
}

func TestFailuresThatChangedNothingCarryAttributes(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.st, f.view.bare = vfs.IO, true
	root := r.root(0)
	for _, proc := range []int{nfs3.NFSPROC3_LOOKUP, nfs3.NFSPROC3_ACCESS, nfs3.NFSPROC3_READLINK, nfs3.NFSPROC3_READ, nfs3.NFSPROC3_FSSTAT, nfs3.NFSPROC3_READDIR, nfs3.NFSPROC3_READDIRPLUS} {
		b := r.raw(proc, examples(root, root)[proc].b)
		require.Len(t, b, 4+postOpAttrLen, name(proc))
	}
}

func TestFailedChangesCarryWeakCacheConsistencyData(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.st = vfs.NoSpc
	root := r.root(0)
	const whole = 4 + preOpLen + postOpAttrLen
	for proc, want := range map[int]int{
		nfs3.NFSPROC3_SETATTR: whole, nfs3.NFSPROC3_WRITE: whole, nfs3.NFSPROC3_CREATE: whole, nfs3.NFSPROC3_MKDIR: whole, nfs3.NFSPROC3_SYMLINK: whole, nfs3.NFSPROC3_MKNOD: whole,
		nfs3.NFSPROC3_REMOVE: whole, nfs3.NFSPROC3_RMDIR: whole, nfs3.NFSPROC3_COMMIT: whole, nfs3.NFSPROC3_RENAME: 2 * whole, nfs3.NFSPROC3_LINK: postOpAttrLen + whole,
	} {
		b := r.raw(proc, examples(root, root)[proc].b)
		require.Equal(t, nfs3.NFS3ERR_NOSPC, statusOf(b), name(proc))
		require.Len(t, b, 4+want, name(proc))
	}
}
