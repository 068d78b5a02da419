package nfs_test

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

// validArgs returns arguments for each procedure but NULL that can be decoded,
// with as many optional fields as there are. dir and file stand where the
// procedure wants one.
func validArgs(dir, file fh) [nfstest.Procedures]nfstest.Encoder {
	at := nfstest.At(dir, "entry")
	return [nfstest.Procedures]nfstest.Encoder{
		nfstest.Getattr: &nfs3.GETATTR3args{Object: file},
		nfstest.Setattr: &nfs3.SETATTR3args{
			Object: file, NewAttributes: allAttributes(), Guard: nfs3.Sattrguard3{Check: true},
		},
		nfstest.Lookup:   &nfs3.LOOKUP3args{What: at},
		nfstest.Access:   &nfs3.ACCESS3args{Object: file, Access: 0x3f},
		nfstest.Readlink: &nfs3.READLINK3args{Symlink: file},
		nfstest.Read:     nfstest.ReadArgs(file, 0, 10),
		nfstest.Write:    nfstest.WriteArgs(file, 0, []byte("ten bytes."), nfs3.UNSTABLE),
		nfstest.Create: &nfs3.CREATE3args{Where: at, How: nfs3.Createhow3{
			Mode: nfs3.GUARDED, ObjAttributes: allAttributes(),
		}},
		nfstest.Mkdir: &nfs3.MKDIR3args{Where: at, Attributes: nfstest.Mode(0o700)},
		nfstest.Symlink: &nfs3.SYMLINK3args{Where: at, Symlink: nfs3.Symlinkdata3{
			SymlinkAttributes: nfstest.Mode(0o777), SymlinkData: []byte("target"),
		}},
		nfstest.Mknod: &nfs3.MKNOD3args{Where: at, What: nfs3.Mknoddata3{
			Type: nfs3.NF3CHR, Device: nfs3.Devicedata3{DevAttributes: nfstest.Mode(0o600), Spec: nfs3.Specdata3{Specdata1: 1, Specdata2: 3}},
		}},
		nfstest.Remove:  &nfs3.REMOVE3args{Object: at},
		nfstest.Rmdir:   &nfs3.RMDIR3args{Object: at},
		nfstest.Rename:  &nfs3.RENAME3args{From: at, To: nfstest.At(dir, "other")},
		nfstest.Link:    &nfs3.LINK3args{File: file, Link: at},
		nfstest.Readdir: &nfs3.READDIR3args{Dir: dir, Count: 4096},
		nfstest.Readdirplus: &nfs3.READDIRPLUS3args{
			Dir: dir, Dircount: 4096, Maxcount: 4096,
		},
		nfstest.Fsstat:   &nfs3.FSSTAT3args{Fsroot: dir},
		nfstest.Fsinfo:   &nfs3.FSINFO3args{Fsroot: dir},
		nfstest.Pathconf: &nfs3.PATHCONF3args{Object: file},
		nfstest.Commit:   &nfs3.COMMIT3args{File: file},
	}
}

// results returns a value for the results of a procedure.
func results(proc uint32) nfstest.Decoder {
	switch proc {
	case nfstest.Getattr:
		return new(nfs3.GETATTR3res)
	case nfstest.Setattr:
		return new(nfs3.SETATTR3res)
	case nfstest.Lookup:
		return new(nfs3.LOOKUP3res)
	case nfstest.Access:
		return new(nfs3.ACCESS3res)
	case nfstest.Readlink:
		return new(nfs3.READLINK3res)
	case nfstest.Read:
		return new(nfs3.READ3res)
	case nfstest.Write:
		return new(nfs3.WRITE3res)
	case nfstest.Create:
		return new(nfs3.CREATE3res)
	case nfstest.Mkdir:
		return new(nfs3.MKDIR3res)
	case nfstest.Symlink:
		return new(nfs3.SYMLINK3res)
	case nfstest.Mknod:
		return new(nfs3.MKNOD3res)
	case nfstest.Remove:
		return new(nfs3.REMOVE3res)
	case nfstest.Rmdir:
		return new(nfs3.RMDIR3res)
	case nfstest.Rename:
		return new(nfs3.RENAME3res)
	case nfstest.Link:
		return new(nfs3.LINK3res)
	case nfstest.Readdir:
		return new(nfs3.READDIR3res)
	case nfstest.Readdirplus:
		return new(nfs3.READDIRPLUS3res)
	case nfstest.Fsstat:
		return new(nfs3.FSSTAT3res)
	case nfstest.Fsinfo:
		return new(nfs3.FSINFO3res)
	case nfstest.Pathconf:
		return new(nfs3.PATHCONF3res)
	case nfstest.Commit:
		return new(nfs3.COMMIT3res)
	}
	panic("no such procedure")
}

// statusOf checks that the results of a procedure can be decoded, and returns
// the status that they begin with.
func statusOf(t testing.TB, proc uint32, b []byte) nfs3.Nfsstat3 {
	t.Helper()
	require.NoError(t, nfstest.Decode(b, results(proc)), nfstest.ProcedureNames[proc])
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
	require.EqualValues(t, rpctest.Success, r.Accept, nfstest.ProcedureNames[proc])
	return statusOf(t, proc, r.Results)
}
