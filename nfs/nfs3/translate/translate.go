// Package translate converts between package vfs and package nfs3, for the programs that serve
// version 3: from the results of file systems to the protocol's values, and back. Its functions
// have no state.
package translate

import (
	"math"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// statuses maps the outcomes of file systems to the statuses of RFC 1813, section 2.6.
var statuses = [vfs.NumStatus]nfs3.Nfsstat3{
	vfs.OK:          nfs3.NFS3_OK,
	vfs.Perm:        nfs3.NFS3ERR_PERM,
	vfs.NoEnt:       nfs3.NFS3ERR_NOENT,
	vfs.IO:          nfs3.NFS3ERR_IO,
	vfs.NXIO:        nfs3.NFS3ERR_NXIO,
	vfs.Access:      nfs3.NFS3ERR_ACCES,
	vfs.Exist:       nfs3.NFS3ERR_EXIST,
	vfs.XDev:        nfs3.NFS3ERR_XDEV,
	vfs.NotDir:      nfs3.NFS3ERR_NOTDIR,
	vfs.IsDir:       nfs3.NFS3ERR_ISDIR,
	vfs.Inval:       nfs3.NFS3ERR_INVAL,
	vfs.FBig:        nfs3.NFS3ERR_FBIG,
	vfs.NoSpc:       nfs3.NFS3ERR_NOSPC,
	vfs.ROFS:        nfs3.NFS3ERR_ROFS,
	vfs.MLink:       nfs3.NFS3ERR_MLINK,
	vfs.NameTooLong: nfs3.NFS3ERR_NAMETOOLONG,
	vfs.NotEmpty:    nfs3.NFS3ERR_NOTEMPTY,
	vfs.DQuot:       nfs3.NFS3ERR_DQUOT,
	vfs.Stale:       nfs3.NFS3ERR_STALE,
	vfs.BadHandle:   nfs3.NFS3ERR_BADHANDLE,
	vfs.BadCookie:   nfs3.NFS3ERR_BAD_COOKIE,
	vfs.NotSupp:     nfs3.NFS3ERR_NOTSUPP,
	vfs.TooSmall:    nfs3.NFS3ERR_TOOSMALL,
	vfs.BadType:     nfs3.NFS3ERR_BADTYPE,
	vfs.NotSync:     nfs3.NFS3ERR_NOT_SYNC,
	vfs.Delay:       nfs3.NFS3ERR_JUKEBOX,
	vfs.Loop:        nfs3.NFS3ERR_INVAL,       // the protocol follows no links, so has no status for it
	vfs.NoXattr:     nfs3.NFS3ERR_SERVERFAULT, // version 3 has no extended attributes
	vfs.XattrTooBig: nfs3.NFS3ERR_SERVERFAULT,
	vfs.ServerFault: nfs3.NFS3ERR_SERVERFAULT,
	vfs.Again:       nfs3.NFS3ERR_SERVERFAULT, // only from a back end that says it on a worker
}

// Status returns the status of NFS version 3. A value that is no Status of vfs is the server's
// fault.
func Status(st vfs.Status) nfs3.Nfsstat3 {
	if st >= vfs.NumStatus {
		st = vfs.ServerFault
	}
	return statuses[st]
}

// Time fits a time into nfstime3, whose seconds are unsigned 32 bits. A time before 1970 or after
// 2106 becomes the nearest end of that range, rather than a quite different time.
func Time(t vfs.Time) nfs3.Nfstime3 {
	switch {
	case t.Sec < 0:
		return nfs3.Nfstime3{}
	case t.Sec > math.MaxUint32:
		return nfs3.Nfstime3{Seconds: math.MaxUint32, Nseconds: vfs.NsecMax}
	}
	return nfs3.Nfstime3{Seconds: uint32(t.Sec), Nseconds: t.Nsec}
}

// Attr puts attributes, all of which must be filled in, into f (RFC 1813, section 2.5.5). The
// numbers of ftype3 are those of [vfs.FileType].
func Attr(f *nfs3.Fattr3, a *vfs.Attr) {
	f.Type = nfs3.Ftype3(a.Type)
	f.Mode = nfs3.Mode3(a.Mode)
	f.Nlink = a.Nlink
	f.Uid = nfs3.Uid3(a.UID)
	f.Gid = nfs3.Gid3(a.GID)
	f.Size = nfs3.Size3(a.Size)
	f.Used = nfs3.Size3(a.Used)
	f.Rdev.Specdata1, f.Rdev.Specdata2 = a.Major, a.Minor
	f.Fsid = a.FSID
	f.Fileid = nfs3.Fileid3(a.FileID)
	f.Atime = Time(a.Atime)
	f.Mtime = Time(a.Mtime)
	f.Ctime = Time(a.Ctime)
}

// PostOp puts attributes after an operation into p, and none if a has not been filled in.
func PostOp(p *nfs3.PostOpAttr, a *vfs.Attr) {
	if p.AttributesFollow = a.Filled(); p.AttributesFollow {
		Attr(&p.Attributes, a)
	}
}

// WCC puts weak cache consistency data into d (section 2.6).
func WCC(d *nfs3.WccData, w *vfs.WCC) {
	if d.Before.AttributesFollow = w.HasBefore; w.HasBefore {
		b := &d.Before.Attributes
		b.Size, b.Mtime, b.Ctime = nfs3.Size3(w.Before.Size), Time(w.Before.Mtime), Time(w.Before.Ctime)
	}
	PostOp(&d.After, &w.After)
}

// SetAttr returns the attributes to set (section 2.5.5), unchecked. The numbers of time_how are
// those of [vfs.TimeHow].
func SetAttr(s *nfs3.Sattr3) vfs.SetAttr {
	return vfs.SetAttr{
		HasMode: s.Mode.SetIt, Mode: uint32(s.Mode.Mode),
		HasUID: s.Uid.SetIt, UID: uint32(s.Uid.Uid),
		HasGID: s.Gid.SetIt, GID: uint32(s.Gid.Gid),
		HasSize: s.Size.SetIt, Size: uint64(s.Size.Size),
		AtimeHow: vfs.TimeHow(s.Atime.SetIt), Atime: FromTime(s.Atime.Atime),
		MtimeHow: vfs.TimeHow(s.Mtime.SetIt), Mtime: FromTime(s.Mtime.Mtime),
	}
}

// FromTime returns a time that a client has sent.
func FromTime(t nfs3.Nfstime3) vfs.Time {
	return vfs.Time{Sec: int64(t.Seconds), Nsec: t.Nseconds}
}
