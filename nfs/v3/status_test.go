package nfs3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// protocolStatuses are all values of nfsstat3 (RFC 1813, section 2.6).
var protocolStatuses = []Nfsstat3{
	NFS3_OK, NFS3ERR_PERM, NFS3ERR_NOENT, NFS3ERR_IO, NFS3ERR_NXIO, NFS3ERR_ACCES, NFS3ERR_EXIST, NFS3ERR_XDEV,
	NFS3ERR_NODEV, NFS3ERR_NOTDIR, NFS3ERR_ISDIR, NFS3ERR_INVAL, NFS3ERR_FBIG, NFS3ERR_NOSPC, NFS3ERR_ROFS,
	NFS3ERR_MLINK, NFS3ERR_NAMETOOLONG, NFS3ERR_NOTEMPTY, NFS3ERR_DQUOT, NFS3ERR_STALE, NFS3ERR_REMOTE,
	NFS3ERR_BADHANDLE, NFS3ERR_NOT_SYNC, NFS3ERR_BAD_COOKIE, NFS3ERR_NOTSUPP, NFS3ERR_TOOSMALL, NFS3ERR_SERVERFAULT,
	NFS3ERR_BADTYPE, NFS3ERR_JUKEBOX,
}

func TestEveryStatusHasOneOfTheProtocol(t *testing.T) {
	for st := range vfs.NumStatus {
		for proc := range procCount {
			got := Nfsstat3(wire(proc, st))
			require.Contains(t, protocolStatuses, got, "%v in %s", st, name(proc))
			require.Equal(t, st == vfs.OK, got == NFS3_OK, "only OK is success: %v in %s", st, name(proc))
		}
	}
	require.EqualValues(t, NFS3ERR_SERVERFAULT, wire(procRead, vfs.NumStatus), "an unknown status")
	require.EqualValues(t, NFS3ERR_SERVERFAULT, wire(procRead, 255), "an unknown status")
}

func TestWhatNeedsARegularFileSaysInval(t *testing.T) {
	for proc := range procCount {
		want := NFS3ERR_ISDIR
		switch proc {
		case procSetattr, procRead, procWrite, procCommit:
			want = NFS3ERR_INVAL
		}
		require.EqualValues(t, want, wire(proc, vfs.IsDir), name(proc))
	}
}

// fakeRig is a rig over one fake, whose view may sleep in no matter what.
func fakeRig(t testing.TB, o export.Options) (*rig, *fakeFS) {
	f := newFake()
	return newRig(t, Config{}, export.Export{Path: "/x", FS: f, Options: o}), f
}

func TestEveryOutcomeOfEveryProcedureIsWellFormed(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	v := &f.view
	for proc, a := range examples(r.root(0), r.root(0)) {
		if proc == procNull {
			require.Empty(t, r.raw(proc, nil))
			continue
		}
		for st := range vfs.NumStatus {
			for _, bare := range []bool{false, true} {
				for _, attrSt := range []vfs.Status{vfs.OK, vfs.IO} {
					v.st, v.bare, v.attrSt = st, bare, attrSt
					want := st
					switch proc {
					case procGetattr, procFsinfo, procPathconf:
						v.attrSt, v.bare = st, false
					}
					require.EqualValues(t, wire(proc, want), r.status(proc, a), "%s with %v", name(proc), st)
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
		if proc != procNull {
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
			switch proc {
			case procLookup, procCreate, procMkdir, procSymlink, procMknod, procRemove, procRmdir, procRename, procLink:
				a = badName(proc, root, "a/b")
				require.Equal(t, rpc.Wait, r.outcome(proc, a.b), name(proc))
			}
		}
		require.Zero(t, f.view.calls)
	})
	t.Run("failed without a change", func(t *testing.T) {
		f.view.st, f.view.bare = vfs.IO, true
		for _, proc := range []int{procLookup, procAccess, procReadlink, procRead, procFsstat, procReaddir, procReaddirplus} {
			require.Equal(t, rpc.Wait, r.outcome(proc, examples(root, root)[proc].b), name(proc))
		}
	})
	t.Run("never after a change was tried", func(t *testing.T) {
		f.view.st, f.view.bare = vfs.IO, true
		for _, proc := range changing {
			require.Equal(t, NFS3ERR_IO, r.status(proc, examples(root, root)[proc]), name(proc))
		}
	})
}

func TestAgainOnAWorkerIsAServerFault(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.st, f.view.attrSt = vfs.Again, vfs.Again
	for proc, a := range examples(r.root(0), r.root(0)) {
		if proc != procNull {
			require.Equal(t, NFS3ERR_SERVERFAULT, r.status(proc, a), name(proc))
		}
	}
}

func TestFailuresThatChangedNothingCarryAttributes(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.st, f.view.bare = vfs.IO, true
	root := r.root(0)
	for _, proc := range []int{procLookup, procAccess, procReadlink, procRead, procFsstat, procReaddir, procReaddirplus} {
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
		procSetattr: whole, procWrite: whole, procCreate: whole, procMkdir: whole, procSymlink: whole, procMknod: whole,
		procRemove: whole, procRmdir: whole, procCommit: whole, procRename: 2 * whole, procLink: postOpAttrLen + whole,
	} {
		b := r.raw(proc, examples(root, root)[proc].b)
		require.Equal(t, NFS3ERR_NOSPC, statusOf(b), name(proc))
		require.Len(t, b, 4+want, name(proc))
	}
}
