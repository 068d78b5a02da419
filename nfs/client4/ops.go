package client4

import "github.com/ringnfs/ringnfs/nfs/nfs4"

// op returns an operation whose arguments fill has filled.
func op(n nfs4.NfsOpnum4, fill func(*nfs4.NfsArgop4)) (a nfs4.NfsArgop4) {
	a.Argop = n
	fill(&a)
	return a
}

// The operations below are those of RFC 8881, section 18, and of RFC 7530, section 16. They borrow
// what they are given.

// PutRootFH makes the root the current file handle.
func PutRootFH() nfs4.NfsArgop4 { return nfs4.NfsArgop4{Argop: nfs4.OP_PUTROOTFH} }

// PutFH makes fh the current file handle.
func PutFH(fh []byte) nfs4.NfsArgop4 {
	return op(nfs4.OP_PUTFH, func(a *nfs4.NfsArgop4) { a.Opputfh.Object = fh })
}

// GetFH asks for the current file handle.
func GetFH() nfs4.NfsArgop4 { return nfs4.NfsArgop4{Argop: nfs4.OP_GETFH} }

// Lookup goes to a name in the current directory.
func Lookup(name string) nfs4.NfsArgop4 {
	return op(nfs4.OP_LOOKUP, func(a *nfs4.NfsArgop4) { a.Oplookup.Objname = nfs4.Component4(name) })
}

// GetAttr asks for attributes, by number.
func GetAttr(numbers ...int) nfs4.NfsArgop4 {
	return op(nfs4.OP_GETATTR, func(a *nfs4.NfsArgop4) { a.Opgetattr.AttrRequest = Bits(numbers...) })
}

// Mkdir makes a directory in the current one, and goes there.
func Mkdir(name string, mode uint32) nfs4.NfsArgop4 {
	return op(nfs4.OP_CREATE, func(a *nfs4.NfsArgop4) {
		a.Opcreate = nfs4.CREATE4args{
			Objtype: nfs4.Createtype4{Type: nfs4.NF4DIR}, Objname: nfs4.Component4(name), Createattrs: Mode(mode),
		}
	})
}

// Remove removes a name from the current directory.
func Remove(name string) nfs4.NfsArgop4 {
	return op(nfs4.OP_REMOVE, func(a *nfs4.NfsArgop4) { a.Opremove.Target = nfs4.Component4(name) })
}

// Open says how a file is opened.
type Open struct {
	Client nfs4.Clientid4 // counts in minor version 0 only
	Owner  []byte
	Seqid  uint32 // of the owner, in minor version 0
	Access uint32 // OPEN4_SHARE_ACCESS_READ and the like
	Name   string // in the current directory
	Create bool   // make the file if there is none
	Mode   uint32 // of a file that is made
}

// Op returns the operation. It goes to the file.
func (o *Open) Op() nfs4.NfsArgop4 {
	return op(nfs4.OP_OPEN, func(a *nfs4.NfsArgop4) {
		a.Opopen = nfs4.OPEN4args{
			Seqid: nfs4.Seqid4(o.Seqid), ShareAccess: o.Access,
			Owner: nfs4.OpenOwner4{Clientid: o.Client, Owner: o.Owner},
			Claim: nfs4.OpenClaim4{Claim: nfs4.CLAIM_NULL, File: nfs4.Component4(o.Name)},
		}
		if o.Create {
			a.Opopen.Openhow = nfs4.Openflag4{
				Opentype: nfs4.OPEN4_CREATE,
				How:      nfs4.Createhow4{Mode: nfs4.UNCHECKED4, Createattrs: Mode(o.Mode)},
			}
		}
	})
}

// OpenConfirm confirms an owner of minor version 0.
func OpenConfirm(id nfs4.Stateid4, seqid uint32) nfs4.NfsArgop4 {
	return op(nfs4.OP_OPEN_CONFIRM, func(a *nfs4.NfsArgop4) {
		a.OpopenConfirm = nfs4.OPENCONFIRM4args{OpenStateid: id, Seqid: nfs4.Seqid4(seqid)}
	})
}

// Close closes an open. seqid counts in minor version 0 only.
func Close(id nfs4.Stateid4, seqid uint32) nfs4.NfsArgop4 {
	return op(nfs4.OP_CLOSE, func(a *nfs4.NfsArgop4) {
		a.Opclose = nfs4.CLOSE4args{Seqid: nfs4.Seqid4(seqid), OpenStateid: id}
	})
}

// Read reads at most count bytes.
func Read(id nfs4.Stateid4, off uint64, count uint32) nfs4.NfsArgop4 {
	return op(nfs4.OP_READ, func(a *nfs4.NfsArgop4) {
		a.Opread = nfs4.READ4args{Stateid: id, Offset: nfs4.Offset4(off), Count: nfs4.Count4(count)}
	})
}

// Write writes data.
func Write(id nfs4.Stateid4, off uint64, data []byte, how nfs4.StableHow4) nfs4.NfsArgop4 {
	return op(nfs4.OP_WRITE, func(a *nfs4.NfsArgop4) {
		a.Opwrite = nfs4.WRITE4args{Stateid: id, Offset: nfs4.Offset4(off), Stable: how, Data: data}
	})
}

// Commit makes everything that was written stable.
func Commit() nfs4.NfsArgop4 { return nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT} }

// ReadDir reads entries after cookie, in at most most bytes, with attributes.
func ReadDir(cookie uint64, verf nfs4.Verifier4, most uint32, numbers ...int) nfs4.NfsArgop4 {
	return op(nfs4.OP_READDIR, func(a *nfs4.NfsArgop4) {
		a.Opreaddir = nfs4.READDIR4args{
			Cookie: nfs4.NfsCookie4(cookie), Cookieverf: verf, Dircount: nfs4.Count4(most / 4),
			Maxcount: nfs4.Count4(most), AttrRequest: Bits(numbers...),
		}
	})
}

// FirstLock is the first lock that an owner takes on a file.
type FirstLock struct {
	Client   nfs4.Clientid4 // counts in minor version 0 only
	Open     nfs4.Stateid4
	OpenSeq  uint32 // of the open's owner, in minor version 0
	Owner    []byte
	OwnerSeq uint32 // of the lock's owner, likewise
	Offset   uint64
	Length   uint64
}

// Op returns the operation, which locks for writing.
func (l *FirstLock) Op() nfs4.NfsArgop4 {
	return op(nfs4.OP_LOCK, func(a *nfs4.NfsArgop4) {
		a.Oplock = nfs4.LOCK4args{
			Locktype: nfs4.WRITE_LT, Offset: nfs4.Offset4(l.Offset), Length: nfs4.Length4(l.Length),
			Locker: nfs4.Locker4{NewLockOwner: true, OpenOwner: nfs4.OpenToLockOwner4{
				OpenSeqid: nfs4.Seqid4(l.OpenSeq), OpenStateid: l.Open, LockSeqid: nfs4.Seqid4(l.OwnerSeq),
				LockOwner: nfs4.LockOwner4{Clientid: l.Client, Owner: l.Owner},
			}},
		}
	})
}

// Unlock gives a lock back.
func Unlock(id nfs4.Stateid4, seqid uint32, off, n uint64) nfs4.NfsArgop4 {
	return op(nfs4.OP_LOCKU, func(a *nfs4.NfsArgop4) {
		a.Oplocku = nfs4.LOCKU4args{
			Locktype: nfs4.WRITE_LT, Seqid: nfs4.Seqid4(seqid), LockStateid: id,
			Offset: nfs4.Offset4(off), Length: nfs4.Length4(n),
		}
	})
}

// Mode returns attributes that set a mode.
func Mode(m uint32) nfs4.Fattr4 {
	return nfs4.Fattr4{
		Attrmask: Bits(nfs4.FATTR4_MODE),
		AttrVals: nfs4.Attrlist4{byte(m >> 24), byte(m >> 16), byte(m >> 8), byte(m)},
	}
}

// Bits returns the bitmap of attributes with these numbers.
func Bits(numbers ...int) (b nfs4.Bitmap4) {
	for _, n := range numbers {
		for len(b) <= n/32 {
			b = append(b, 0)
		}
		b[n/32] |= 1 << (n % 32)
	}
	return b
}
