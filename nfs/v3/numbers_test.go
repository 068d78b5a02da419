package v3

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// protocolNumbers are the 29 values of nfsstat3 in RFC 1813, section 2.6, each with the outcomes of
// file systems that are answered with it. No outcome is answered with NODEV or REMOTE.
var protocolNumbers = []struct {
	name   string
	number uint32
	of     []vfs.Status
}{
	{"NFS3_OK", 0, []vfs.Status{vfs.OK}},
	{"NFS3ERR_PERM", 1, []vfs.Status{vfs.Perm}},
	{"NFS3ERR_NOENT", 2, []vfs.Status{vfs.NoEnt}},
	{"NFS3ERR_IO", 5, []vfs.Status{vfs.IO}},
	{"NFS3ERR_NXIO", 6, []vfs.Status{vfs.NXIO}},
	{"NFS3ERR_ACCES", 13, []vfs.Status{vfs.Access}},
	{"NFS3ERR_EXIST", 17, []vfs.Status{vfs.Exist}},
	{"NFS3ERR_XDEV", 18, []vfs.Status{vfs.XDev}},
	{"NFS3ERR_NODEV", 19, nil},
	{"NFS3ERR_NOTDIR", 20, []vfs.Status{vfs.NotDir}},
	{"NFS3ERR_ISDIR", 21, []vfs.Status{vfs.IsDir}},
	{"NFS3ERR_INVAL", 22, []vfs.Status{vfs.Inval, vfs.Loop}},
	{"NFS3ERR_FBIG", 27, []vfs.Status{vfs.FBig}},
	{"NFS3ERR_NOSPC", 28, []vfs.Status{vfs.NoSpc}},
	{"NFS3ERR_ROFS", 30, []vfs.Status{vfs.ROFS}},
	{"NFS3ERR_MLINK", 31, []vfs.Status{vfs.MLink}},
	{"NFS3ERR_NAMETOOLONG", 63, []vfs.Status{vfs.NameTooLong}},
	{"NFS3ERR_NOTEMPTY", 66, []vfs.Status{vfs.NotEmpty}},
	{"NFS3ERR_DQUOT", 69, []vfs.Status{vfs.DQuot}},
	{"NFS3ERR_STALE", 70, []vfs.Status{vfs.Stale}},
	{"NFS3ERR_REMOTE", 71, nil},
	{"NFS3ERR_BADHANDLE", 10001, []vfs.Status{vfs.BadHandle}},
	{"NFS3ERR_NOT_SYNC", 10002, []vfs.Status{vfs.NotSync}},
	{"NFS3ERR_BAD_COOKIE", 10003, []vfs.Status{vfs.BadCookie}},
	{"NFS3ERR_NOTSUPP", 10004, []vfs.Status{vfs.NotSupp}},
	{"NFS3ERR_TOOSMALL", 10005, []vfs.Status{vfs.TooSmall}},
	{"NFS3ERR_SERVERFAULT", 10006, []vfs.Status{vfs.ServerFault, vfs.Again, vfs.NoXattr, vfs.XattrTooBig}},
	{"NFS3ERR_BADTYPE", 10007, []vfs.Status{vfs.BadType}},
	{"NFS3ERR_JUKEBOX", 10008, []vfs.Status{vfs.Delay}},
}

func TestEveryOutcomeHasItsNumberOfTheProtocol(t *testing.T) {
	require.Len(t, protocolNumbers, 29)
	said := 0
	for _, row := range protocolNumbers {
		for _, st := range row.of {
			said++
			for proc := range procedures {
				want := row.number
				if st == vfs.IsDir {
					switch proc {
					case 2, 6, 7, 21: // SETATTR, READ, WRITE and COMMIT have no NFS3ERR_ISDIR
						want = 22
					}
				}
				require.EqualValues(t, want, status(proc, st), "%v is %s in %s", st, row.name, name(proc))
			}
		}
	}
	require.EqualValues(t, vfs.NumStatus, said, "an outcome is in no row, or in two")
}

// A caller who changes a directory must be able to search it, so each of the three rights needs
// both permissions.
func TestChangesInADirectoryNeedItsSearchPermission(t *testing.T) {
	const modify, extend, remove = 0x4, 0x8, 0x10 // RFC 1813, section 3.3.4
	r, f := fakeRig(t, export.Options{})
	f.view.attr.Type = vfs.TypeDir
	for _, wanted := range []uint32{modify, extend, remove, modify | extend, modify | extend | remove} {
		for has, granted := range map[vfs.Permission]uint32{
			vfs.MayWrite:                             0,
			vfs.MayExec:                              0,
			vfs.MayRead:                              0,
			vfs.MayWrite | vfs.MayExec:               wanted,
			vfs.MayRead | vfs.MayWrite | vfs.MayExec: wanted,
		} {
			f.view.has = has
			res := do[nfs3.ACCESS3res](r, nfs3.NFSPROC3_ACCESS, on(r.root(0)).u32(wanted))
			require.Equal(t, granted, res.Resok.Access, "%#x with permissions %v", wanted, has)
			require.Equal(t, vfs.MayWrite|vfs.MayExec, f.view.want)
		}
	}
}

// A stable WRITE waits for the disc, and would delay the calls that the same worker does after it.
func TestOnlyUnstableWritesAreBrief(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	r.place, f.view.st, f.view.bare = 0, vfs.Again, true
	for stable, brief := range map[uint32]bool{0: true, 1: false, 2: false} { // UNSTABLE, DATA_SYNC, FILE_SYNC
		require.Equal(
			t,
			rpc.Wait,
			r.outcome(nfs3.NFSPROC3_WRITE, on(r.root(0)).u64(0).u32(5, stable).str("hello").b),
		)
		require.Equal(t, brief, r.call.Brief, "stable_how %d", stable)
	}
	for proc, a := range examples(r.root(0), r.root(0)) {
		if proc != nfs3.NFSPROC3_NULL {
			_ = r.outcome(proc, a.b)
			require.False(t, r.call.Brief, name(proc)) // that of WRITE is FILE_SYNC
		}
	}
}

// nfstime3 has 32 bits for the seconds since 1970. Every other time becomes the nearest one of
// these.
func TestTimesBeyondTheProtocolsAreItsEnds(t *testing.T) {
	for _, c := range []struct {
		in        vfs.Time
		sec, nsec uint32
	}{
		{vfs.Time{Sec: -1, Nsec: 999_999_999}, 0, 0},
		{vfs.Time{}, 0, 0},
		{vfs.Time{Nsec: 1}, 0, 1},
		{vfs.Time{Sec: 1<<31 - 1, Nsec: 7}, 1<<31 - 1, 7},
		{vfs.Time{Sec: 1 << 31, Nsec: 7}, 1 << 31, 7},
		{vfs.Time{Sec: 1<<32 - 1, Nsec: 7}, 1<<32 - 1, 7},
		{vfs.Time{Sec: 1 << 32}, 1<<32 - 1, 999_999_999},
		{vfs.Time{Sec: 1<<62 - 1}, 1<<32 - 1, 999_999_999},
	} {
		require.Equal(t, nfs3.Nfstime3{Seconds: c.sec, Nseconds: c.nsec}, translate.Time(c.in), "%+v", c.in)
	}
}
