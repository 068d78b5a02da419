package vfs

// FileType is the type of an object, in the order of RFC 1813's ftype3.
type FileType uint32

// Types of objects (RFC 1813, section 2.5.5).
const (
	TypeReg FileType = iota + 1
	TypeDir
	TypeBlk
	TypeChr
	TypeLnk
	TypeSock
	TypeFifo
)

// NsecMax is the largest number of nanoseconds within a second.
const NsecMax = 999_999_999

// Time is a point in time as file systems keep it: seconds since 1970 UTC, which may be negative,
// and 0 to NsecMax nanoseconds beyond these.
type Time struct {
	Sec  int64
	Nsec uint32
}

// AttrMask says which attributes are filled in.
type AttrMask uint32

// Groups of attributes that come together.
const (
	AttrBasic  AttrMask = 1 << iota // those of RFC 1813's fattr3: Type to Ctime
	AttrChange                      // Change
	AttrBirth                       // Birth
)

// Change returns the change attribute of an object whose ctime is t. It is for file systems in
// which each change that somebody can tell from the one before it has a ctime of its own.
func (t Time) Change() uint64 { return uint64(t.Sec)*1e9 + uint64(t.Nsec) }

// Attr is the attributes of one object.
type Attr struct {
	// Mask is which of the other fields are filled in, 0 for none. The rest is unspecified.
	Mask   AttrMask
	Type   FileType
	Mode   uint32 // permission bits with set-id and sticky: 07777 at most
	Nlink  uint32
	UID    uint32
	GID    uint32
	Size   uint64 // bytes
	Used   uint64 // bytes on disc
	Major  uint32 // device number of TypeBlk and TypeChr, else 0
	Minor  uint32
	FSID   uint64 // the file system; equal for all objects of one FS
	FileID uint64 // inode number, unique in the FS while the object lives
	Atime  Time
	Mtime  Time
	Ctime  Time
	// Change differs from a value that somebody saw whenever the object's data, attributes or
	// names have changed since then (RFC 8881, section 5.8.1.4). A back end that cannot promise
	// this leaves Change out; a ctime of fine resolution is not enough. When a local process
	// has mapped the file (mmap) and stores to the memory, only the first store after a
	// write-back changes it.
	Change uint64
	Birth  Time // when the object was made
}

// Has reports whether all attributes of m are filled in.
func (a *Attr) Has(m AttrMask) bool { return a.Mask&m == m }

// Filled reports whether the attributes of AttrBasic are filled in.
func (a *Attr) Filled() bool { return a.Mask&AttrBasic != 0 }

// WCC is weak cache consistency data (RFC 1813, section 2.6): the attributes of an object right
// before and right after an operation. Either half may be missing.
type WCC struct {
	HasBefore bool
	// Atomic says that nothing has changed the object between the halves but the operation. A back
	// end whose objects others can change, too, cannot say so.
	Atomic bool
	Before Before
	After  Attr // missing unless it is [Attr.Filled]
}

// Before is the part of the attributes that wcc_attr (RFC 1813) and change_info4 (RFC 8881, section
// 3.3.9) carry.
type Before struct {
	Size  uint64
	Mtime Time
	Ctime Time
	// Change is as in Attr. It is valid if HasChange.
	Change    uint64
	HasChange bool
}

// SetBefore stores the half from before the operation, taken from a.
func (w *WCC) SetBefore(a *Attr) {
	w.HasBefore = true
	w.Before = Before{
		Size: a.Size, Mtime: a.Mtime, Ctime: a.Ctime,
		Change: a.Change, HasChange: a.Has(AttrChange),
	}
}

// TimeHow says what to do with one time stamp (RFC 1813, time_how).
type TimeHow uint8

// What to do with a time stamp.
const (
	TimeKeep   TimeHow = iota // leave it
	TimeServer                // set the server's present time
	TimeClient                // set the given time
)

// SetAttr is a set of attributes to change. The zero value changes nothing.
type SetAttr struct {
	HasMode  bool
	HasUID   bool
	HasGID   bool
	HasSize  bool
	Mode     uint32 // 07777 at most; other bits are ignored
	UID      uint32
	GID      uint32
	Size     uint64 // any value that a client can send; see [View.SetAttr]
	AtimeHow TimeHow
	MtimeHow TimeHow
	Atime    Time
	Mtime    Time
	// Guard, if not nil, must be the object's ctime (RFC 1813, sattrguard3). Only
	// [Objects.SetAttr] looks at it.
	Guard *Time
}

// Entry is an object found by name or made by an operation.
type Entry struct {
	Handle Handle
	Attr   Attr // missing unless it is [Attr.Filled]
}

// HandleMax is the most bytes in a handle that a back end may give out. The export layer adds its
// own fields and stays within NFSv3's 64 bytes.
const HandleMax = 44

// Handle names an object for as long as it exists: over renames, restarts and reboots. It has at
// least one byte; the zero value names no object. It is a comparable value, whose unused bytes are
// zero. It is not yet protected against forgery: package export seals it.
type Handle struct {
	n uint8
	b [HandleMax]byte
}

// MakeHandle copies b into a Handle. It reports false if b is longer than HandleMax.
func MakeHandle(b []byte) (Handle, bool) {
	var h Handle
	if len(b) > HandleMax {
		return h, false
	}
	h.n = uint8(len(b))
	copy(h.b[:], b)
	return h, true
}

// Bytes returns the handle's bytes, a view of h.
func (h *Handle) Bytes() []byte { return h.b[:h.n] }

// Len returns the handle's length in bytes.
func (h *Handle) Len() int { return int(h.n) }
