package endtoend

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// allAttributes has every optional field.
func allAttributes() nfs3.Sattr3 {
	s := nfstest.Times(nfs3.Nfstime3{Seconds: 1}, nfs3.Nfstime3{Seconds: 2})
	s.Mode = nfstest.Mode(0o644).Mode
	s.Size = nfstest.Size(0).Size
	owner := nfstest.Owner(0, 0)
	s.Uid, s.Gid = owner.Uid, owner.Gid
	return s
}

// validArgs returns arguments for each procedure but NULL that can be decoded, with as many
// optional fields as possible. dir and file are the handles that the procedure needs.
func validArgs(dir, file fh) [len(nfs3.NFSV3Names)]nfstest.Encoder {
	at := nfstest.At(dir, "entry")
	return [len(nfs3.NFSV3Names)]nfstest.Encoder{
		nfs3.NFSPROC3_GETATTR: &nfs3.GETATTR3args{Object: file},
		nfs3.NFSPROC3_SETATTR: &nfs3.SETATTR3args{
			Object: file, NewAttributes: allAttributes(), Guard: nfs3.Sattrguard3{Check: true},
		},
		nfs3.NFSPROC3_LOOKUP:   &nfs3.LOOKUP3args{What: at},
		nfs3.NFSPROC3_ACCESS:   &nfs3.ACCESS3args{Object: file, Access: 0x3f},
		nfs3.NFSPROC3_READLINK: &nfs3.READLINK3args{Symlink: file},
		nfs3.NFSPROC3_READ:     nfstest.ReadArgs(file, 0, 10),
		nfs3.NFSPROC3_WRITE:    nfstest.WriteArgs(file, 0, []byte("ten bytes."), nfs3.UNSTABLE),
		nfs3.NFSPROC3_CREATE: &nfs3.CREATE3args{Where: at, How: nfs3.Createhow3{
			Mode: nfs3.GUARDED, ObjAttributes: allAttributes(),
		}},
		nfs3.NFSPROC3_MKDIR: &nfs3.MKDIR3args{Where: at, Attributes: nfstest.Mode(0o700)},
		nfs3.NFSPROC3_SYMLINK: &nfs3.SYMLINK3args{Where: at, Symlink: nfs3.Symlinkdata3{
			SymlinkAttributes: nfstest.Mode(0o777), SymlinkData: []byte("target"),
		}},
		nfs3.NFSPROC3_MKNOD: &nfs3.MKNOD3args{Where: at, What: nfs3.Mknoddata3{
			Type: nfs3.NF3CHR, Device: nfs3.Devicedata3{DevAttributes: nfstest.Mode(0o600), Spec: nfs3.Specdata3{Specdata1: 1, Specdata2: 3}},
		}},
		nfs3.NFSPROC3_REMOVE:  &nfs3.REMOVE3args{Object: at},
		nfs3.NFSPROC3_RMDIR:   &nfs3.RMDIR3args{Object: at},
		nfs3.NFSPROC3_RENAME:  &nfs3.RENAME3args{From: at, To: nfstest.At(dir, "other")},
		nfs3.NFSPROC3_LINK:    &nfs3.LINK3args{File: file, Link: at},
		nfs3.NFSPROC3_READDIR: &nfs3.READDIR3args{Dir: dir, Count: 4096},
		nfs3.NFSPROC3_READDIRPLUS: &nfs3.READDIRPLUS3args{
			Dir: dir, Dircount: 4096, Maxcount: 4096,
		},
		nfs3.NFSPROC3_FSSTAT:   &nfs3.FSSTAT3args{Fsroot: dir},
		nfs3.NFSPROC3_FSINFO:   &nfs3.FSINFO3args{Fsroot: dir},
		nfs3.NFSPROC3_PATHCONF: &nfs3.PATHCONF3args{Object: file},
		nfs3.NFSPROC3_COMMIT:   &nfs3.COMMIT3args{File: file},
	}
}

// results returns a value for the results of a procedure.
func results(proc uint32) nfstest.Decoder {
	switch proc {
	case nfs3.NFSPROC3_GETATTR:
		return new(nfs3.GETATTR3res)
	case nfs3.NFSPROC3_SETATTR:
		return new(nfs3.SETATTR3res)
	case nfs3.NFSPROC3_LOOKUP:
		return new(nfs3.LOOKUP3res)
	case nfs3.NFSPROC3_ACCESS:
		return new(nfs3.ACCESS3res)
	case nfs3.NFSPROC3_READLINK:
		return new(nfs3.READLINK3res)
	case nfs3.NFSPROC3_READ:
		return new(nfs3.READ3res)
	case nfs3.NFSPROC3_WRITE:
		return new(nfs3.WRITE3res)
	case nfs3.NFSPROC3_CREATE:
		return new(nfs3.CREATE3res)
	case nfs3.NFSPROC3_MKDIR:
		return new(nfs3.MKDIR3res)
	case nfs3.NFSPROC3_SYMLINK:
		return new(nfs3.SYMLINK3res)
	case nfs3.NFSPROC3_MKNOD:
		return new(nfs3.MKNOD3res)
	case nfs3.NFSPROC3_REMOVE:
		return new(nfs3.REMOVE3res)
	case nfs3.NFSPROC3_RMDIR:
		return new(nfs3.RMDIR3res)
	case nfs3.NFSPROC3_RENAME:
		return new(nfs3.RENAME3res)
	case nfs3.NFSPROC3_LINK:
		return new(nfs3.LINK3res)
	case nfs3.NFSPROC3_READDIR:
		return new(nfs3.READDIR3res)
	case nfs3.NFSPROC3_READDIRPLUS:
		return new(nfs3.READDIRPLUS3res)
	case nfs3.NFSPROC3_FSSTAT:
		return new(nfs3.FSSTAT3res)
	case nfs3.NFSPROC3_FSINFO:
		return new(nfs3.FSINFO3res)
	case nfs3.NFSPROC3_PATHCONF:
		return new(nfs3.PATHCONF3res)
	case nfs3.NFSPROC3_COMMIT:
		return new(nfs3.COMMIT3res)
	}
	panic("no such procedure")
}

// statusOf checks that the results of a procedure can be decoded, and returns
// the status that they begin with.
func statusOf(t testing.TB, proc uint32, b []byte) nfs3.Nfsstat3 {
	t.Helper()
	require.NoError(t, nfstest.Decode(b, results(proc)), nfs3.NFSV3Names[proc])
	return nfs3.Nfsstat3(b[0])<<24 | nfs3.Nfsstat3(b[1])<<16 | nfs3.Nfsstat3(b[2])<<8 | nfs3.Nfsstat3(b[3])
}

// status makes a call of any procedure and returns its status.
func status(t testing.TB, c *nfstest.Client, proc uint32, args nfstest.Encoder) nfs3.Nfsstat3 {
	t.Helper()
	return waitStatus(t, proc, c.Start(proc, args))
}

func waitStatus(t testing.TB, proc uint32, p *nfstest.Pending) nfs3.Nfsstat3 {
	t.Helper()
	r := p.Reply()
	require.False(t, r.Denied, "%+v", r)
	require.EqualValues(t, rpctest.Success, r.Accept, nfs3.NFSV3Names[proc])
	return statusOf(t, proc, r.Results)
}
