package v4

import (
	"math/bits"
	"time"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/idmap"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// What must be asked for to know an attribute.
const (
	fromAttr   = 1 << iota // vfs.Attr
	fromStatfs             // vfs.Statfs
	fromLimits             // vfs.Limits, of the directory
	fromHandle             // the sealed file handle
)

// attribute is one attribute of the protocol (RFC 8881, section 5).
type attribute struct {
	since uint8 // the first minor version that has it
	from  uint8
	// write writes the value. It is nil for what can only be set.
	write func(e *xdr.Encoder, v *values)
	// set says that clients may set it (attrset.go).
	set bool
}

// values is what attributes are written from.
type values struct {
	s     *server
	minor uint32

	attr   *vfs.Attr
	statfs *vfs.Statfs
	limits *vfs.Limits
	fh     []byte

	export *export.Export // nil for a node
	fsid   [2]uint64
	// mounted is the fileid of what the object is mounted on (mounted_on_fileid), which for
	// most is its own.
	mounted uint64
	digits  *[idmap.OwnerMax]byte
	clock   func() time.Time
	user    digits // the last ones
	group   digits
	mayWait bool          // for the names of users
	unnamed bool          // a name was not known, and the values are no good
	failed  nfs4.Nfsstat4 // rdattr_error
}

const (
	// attributesWorst is the most bytes that a fattr4 takes with all attributes that there are.
	attributesWorst = 512
	// attributesMax is the most bytes of attributes' values that a client may send.
	attributesMax = 4096
)

// attributes is the table of those that the server knows, by number. It is filled by init,
// since what writes some of them refers to it.
var attributes [words * 32]attribute

func init() {
	attributes = [words * 32]attribute{
		nfs4.FATTR4_SUPPORTED_ATTRS: {write: func(e *xdr.Encoder, v *values) {
			b := supported[v.minor]
			b.encode(e)
		}},
		nfs4.FATTR4_TYPE: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { e.Uint32(uint32(types[v.attr.Type&7])) },
		},
		nfs4.FATTR4_FH_EXPIRE_TYPE: {write: word(nfs4.FH4_PERSISTENT)},
		nfs4.FATTR4_CHANGE: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.s.change(v.attr, v.clock)) },
		},
		nfs4.FATTR4_SIZE: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.attr.Size) },
			set:   true,
		},
		nfs4.FATTR4_LINK_SUPPORT: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Bool(v.limits.HardLinks) },
		},
		nfs4.FATTR4_SYMLINK_SUPPORT: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Bool(v.limits.SymbolicLinks) },
		},
		nfs4.FATTR4_NAMED_ATTR: {write: boolean(false)},
		nfs4.FATTR4_FSID: {from: fromAttr, write: func(e *xdr.Encoder, v *values) {
			e.Uint64(v.fsid[0])
			e.Uint64(v.fsid[1])
		}},
		// Where exports lie in each other, an object has a handle in each of them.
		nfs4.FATTR4_UNIQUE_HANDLES: {write: boolean(false)},
		nfs4.FATTR4_LEASE_TIME: {write: func(e *xdr.Encoder, v *values) {
			e.Uint32(uint32(v.s.cfg.Lease.Seconds()))
		}},
		nfs4.FATTR4_RDATTR_ERROR: {write: func(e *xdr.Encoder, v *values) { e.Uint32(uint32(v.failed)) }},
		nfs4.FATTR4_CANSETTIME: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Bool(v.limits.CanSetTime) },
		},
		nfs4.FATTR4_CASE_INSENSITIVE: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Bool(v.limits.CaseInsensitive) },
		},
		nfs4.FATTR4_CASE_PRESERVING: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Bool(v.limits.CasePreserving) },
		},
		nfs4.FATTR4_CHOWN_RESTRICTED: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Bool(v.limits.ChownRestricted) },
		},
		nfs4.FATTR4_FILEHANDLE: {
			from:  fromHandle,
			write: func(e *xdr.Encoder, v *values) { e.Opaque(v.fh) },
		},
		nfs4.FATTR4_FILEID: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.attr.FileID) },
		},
		nfs4.FATTR4_FILES_AVAIL: {
			from:  fromStatfs,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.statfs.AvailFiles) },
		},
		nfs4.FATTR4_FILES_FREE: {
			from:  fromStatfs,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.statfs.FreeFiles) },
		},
		nfs4.FATTR4_FILES_TOTAL: {
			from:  fromStatfs,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.statfs.TotalFiles) },
		},
		nfs4.FATTR4_HOMOGENEOUS: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Bool(v.limits.Homogeneous) },
		},
		nfs4.FATTR4_MAXFILESIZE: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.limits.FileSizeMax) },
		},
		nfs4.FATTR4_MAXLINK: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Uint32(v.limits.LinkMax) },
		},
		nfs4.FATTR4_MAXNAME: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Uint32(v.limits.NameMax) },
		},
		nfs4.FATTR4_MAXREAD: {
			write: func(e *xdr.Encoder, v *values) { e.Uint64(uint64(v.s.cfg.ReadMax)) },
		},
		nfs4.FATTR4_MAXWRITE: {
			write: func(e *xdr.Encoder, v *values) { e.Uint64(uint64(v.s.cfg.WriteMax)) },
		},
		nfs4.FATTR4_MODE: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { e.Uint32(v.attr.Mode) },
			set:   true,
		},
		nfs4.FATTR4_NO_TRUNC: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { e.Bool(v.limits.NoTrunc) },
		},
		nfs4.FATTR4_NUMLINKS: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { e.Uint32(v.attr.Nlink) },
		},
		nfs4.FATTR4_OWNER: {
			from:  fromAttr,
			write: putUser,
			set:   true,
		},
		nfs4.FATTR4_OWNER_GROUP: {
			from:  fromAttr,
			write: putGroup,
			set:   true,
		},
		nfs4.FATTR4_RAWDEV: {from: fromAttr, write: func(e *xdr.Encoder, v *values) {
			e.Uint32(v.attr.Major)
			e.Uint32(v.attr.Minor)
		}},
		nfs4.FATTR4_SPACE_AVAIL: {
			from:  fromStatfs,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.statfs.AvailBytes) },
		},
		nfs4.FATTR4_SPACE_FREE: {
			from:  fromStatfs,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.statfs.FreeBytes) },
		},
		nfs4.FATTR4_SPACE_TOTAL: {
			from:  fromStatfs,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.statfs.TotalBytes) },
		},
		nfs4.FATTR4_SPACE_USED: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.attr.Used) },
		},
		nfs4.FATTR4_TIME_ACCESS: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { putTime(e, v.attr.Atime) },
		},
		nfs4.FATTR4_TIME_ACCESS_SET: {set: true},
		nfs4.FATTR4_TIME_CREATE: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { putTime(e, v.attr.Birth) },
		},
		nfs4.FATTR4_TIME_DELTA: {
			from:  fromLimits,
			write: func(e *xdr.Encoder, v *values) { putTime(e, v.limits.TimeDelta) },
		},
		nfs4.FATTR4_TIME_METADATA: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { putTime(e, v.attr.Ctime) },
		},
		nfs4.FATTR4_TIME_MODIFY: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { putTime(e, v.attr.Mtime) },
		},
		nfs4.FATTR4_TIME_MODIFY_SET: {set: true},
		nfs4.FATTR4_MOUNTED_ON_FILEID: {
			from:  fromAttr,
			write: func(e *xdr.Encoder, v *values) { e.Uint64(v.mounted) },
		},
		nfs4.FATTR4_MODE_SET_MASKED: {since: 1, set: true},
		nfs4.FATTR4_MODE_UMASK:      {since: 2, set: true},
		nfs4.FATTR4_SUPPATTR_EXCLCREAT: {since: 1, write: func(e *xdr.Encoder, v *values) {
			b := exclusive[v.minor]
			b.encode(e)
		}},
		// Names are bytes, in whatever encoding clients and local processes use.
		nfs4.FATTR4_FS_CHARSET_CAP: {since: 1, write: word(nfs4.FSCHARSET_CAP4_CONTAINS_NON_UTF8)},
		nfs4.FATTR4_CHANGE_ATTR_TYPE: {since: 2, from: fromLimits, write: func(e *xdr.Encoder, v *values) {
			if v.limits.CtimeIsChange {
				e.Uint32(uint32(nfs4.NFS4_CHANGE_TYPE_IS_TIME_METADATA))
			} else {
				e.Uint32(uint32(nfs4.NFS4_CHANGE_TYPE_IS_UNDEFINED))
			}
		}},
		nfs4.FATTR4_CLONE_BLKSIZE: {since: 2, from: fromLimits, write: func(e *xdr.Encoder, v *values) {
			e.Uint32(v.limits.CloneBlock)
		}},
		nfs4.FATTR4_XATTR_SUPPORT: {since: 2, from: fromLimits, write: func(e *xdr.Encoder, v *values) {
			e.Bool(v.limits.Xattrs)
		}},
	}
	for n := range attributes {
		attributes[n].sort(n)
	}
}

// supported is what the table has in each minor version, readable those of them that can be
// read, settable those that can be set, and exclusive those that an exclusive create can set:
// not the times, which hold the verifier.
var supported, readable, settable, exclusive [minorMax + 1]bitmap

// fromSource are the attributes that need each of the sources.
var fromSource [4]bitmap

// sort puts the attribute n into the sets that it belongs to.
func (a *attribute) sort(n int) {
	for m := int(a.since); m <= minorMax && (a.write != nil || a.set); m++ {
		supported[m].add(n)
		if a.write != nil {
			readable[m].add(n)
		}
		if !a.set {
			continue
		}
		settable[m].add(n)
		if n != nfs4.FATTR4_TIME_ACCESS_SET && n != nfs4.FATTR4_TIME_MODIFY_SET {
			exclusive[m].add(n)
		}
	}
	for i := range fromSource {
		if a.from == 1<<i {
			fromSource[i].add(n)
		}
	}
}

// needsOf returns what must be asked for to know the attributes in b.
func needsOf(b *bitmap) (from uint8) {
	for i := range fromSource {
		if b.any(&fromSource[i]) {
			from |= 1 << i
		}
	}
	return from
}

// types maps a back end's types to nfs_ftype4.
var types = [8]nfs4.NfsFtype4{
	vfs.TypeReg: nfs4.NF4REG, vfs.TypeDir: nfs4.NF4DIR, vfs.TypeBlk: nfs4.NF4BLK, vfs.TypeChr: nfs4.NF4CHR,
	vfs.TypeLnk: nfs4.NF4LNK, vfs.TypeSock: nfs4.NF4SOCK, vfs.TypeFifo: nfs4.NF4FIFO,
}

func word(v uint32) func(*xdr.Encoder, *values) {
	return func(e *xdr.Encoder, _ *values) { e.Uint32(v) }
}

func boolean(v bool) func(*xdr.Encoder, *values) {
	return func(e *xdr.Encoder, _ *values) { e.Bool(v) }
}

// putTime writes a nfstime4.
func putTime(e *xdr.Encoder, t vfs.Time) {
	e.Int64(t.Sec)
	e.Uint32(t.Nsec)
}

// encode writes those of want that are there as a fattr4: the bitmap of what follows, and the
// values.
func (v *values) encode(e *xdr.Encoder, want bitmap) {
	if want.ofLinux() {
		v.encodeLinux(e, want[1]&linuxBirth != 0)
		return
	}
	want.and(&readable[v.minor])
	if v.attr == nil || !v.attr.Has(vfs.AttrBirth) {
		want.remove(nfs4.FATTR4_TIME_CREATE)
	}
	if want.has(nfs4.FATTR4_CLONE_BLKSIZE) && v.limits.CloneBlock == 0 {
		want.remove(nfs4.FATTR4_CLONE_BLKSIZE)
	}
	want.encode(e)
	at := e.Len()
	e.Uint32(0)
	for i, w := range want {
		for ; w != 0; w &= w - 1 {
			attributes[32*i+bits.TrailingZeros32(w)].write(e, v)
		}
	}
	if e.Err() == nil {
		e.SetUint32(at, uint32(e.Len()-at-4))
	}
}

// describe asks for what the attributes in want need of the object at p, and readies k.w.values for
// them. Attributes that are known already, not nil, are not asked for again.
func (k *compound) describe(p *position, want *bitmap, known *vfs.Attr) nfs4.Nfsstat4 {
	w := k.w
	v := &w.values
	v.minor, v.attr, v.export, v.fh = k.minor, &w.attr, nil, nil
	v.failed, v.mayWait, v.unnamed = nfs4.NFS4_OK, k.c.Place.Thread.MayWait, false
	from := uint8(fromAttr)
	if !want.ofLinux() {
		from = needsOf(want)
	}
	if from&fromHandle != 0 {
		v.fh = k.sealed(p)
	}
	if n := p.node; n != nil {
		k.s.tree.attributes(n, k.c, &w.attr)
		v.fsid, v.mounted = pseudoFSID, k.mountedOn(n)
		w.statfs, w.limits = vfs.Statfs{}, pseudoLimits
		return nfs4.NFS4_OK
	}
	if p.export == nil {
		return nfs4.NFS4ERR_NOFILEHANDLE
	}
	if known != nil {
		v.attr = known
	} else if s := k.s.Table.View(k.c.Place.Index, p.export).GetAttr(p.handle, &w.attr); s != vfs.OK {
		return k.status(s)
	}
	k.identify(v, p.export, &p.handle, v.attr)
	if from&(fromStatfs|fromLimits) == 0 {
		return nfs4.NFS4_OK
	}
	o, _ := k.object(p)
	if from&fromStatfs != 0 {
		if s := o.View.Statfs(o.Cred(k.c), o.Handle, &w.statfs); s != vfs.OK {
			return k.status(s)
		}
	}
	if from&fromLimits != 0 {
		if s := o.View.PathConf(o.Handle, &w.limits); s != vfs.OK {
			return k.status(s)
		}
	}
	return nfs4.NFS4_OK
}

// identify fills what tells file systems apart.
func (k *compound) identify(v *values, x *export.Export, h *vfs.Handle, a *vfs.Attr) {
	v.export = x
	v.fsid = [2]uint64{a.FSID, 0}
	v.mounted = a.FileID
	if a.Type == vfs.TypeDir && *h == x.FS.Root() {
		if n := k.s.tree.of[x]; n != nil {
			v.mounted = k.mountedOn(n)
		}
	}
}

// pseudoFSID is the fsid of the pseudo file system, which no back end has.
var pseudoFSID = [2]uint64{^uint64(0), 0}

// pseudoLimits is what the pseudo file system can do: be looked at.
var pseudoLimits = vfs.Limits{
	NameMax: 255, LinkMax: 1, FileSizeMax: 1<<63 - 1, TimeDelta: vfs.Time{Nsec: 1},
	CasePreserving: true, ChownRestricted: true, NoTrunc: true, Homogeneous: true, CtimeIsChange: true,
}
