package vfs

// FileType is the type of an object, in the order of RFC 1813's ftype3.
type FileType uint32

// The types of objects (RFC 1813, section 2.5.5).
const (
	TypeReg FileType = iota + 1
	TypeDir
	TypeBlk
	TypeChr
	TypeLnk
	TypeSock
	TypeFifo
)

// Time is a point in time as file systems keep it: seconds since 1970 UTC, which
// may be negative, and 0 to 999,999,999 nanoseconds after it.
type Time struct {
	Sec  int64
	Nsec uint32
}

// Attr is what a file system says of one object.
type Attr struct {
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
}

// WCC is weak cache consistency data (RFC 1813, section 2.6): what an object
// looked like right before and right after an operation. Either half may be
// missing.
type WCC struct {
	HasBefore bool
	HasAfter  bool
	Before    Before
	After     Attr
}

// Before is the part of the attributes that wcc_attr carries.
type Before struct {
	Size  uint64
	Mtime Time
	Ctime Time
}

// SetBefore stores the pre-operation half, taken from a.
func (w *WCC) SetBefore(a *Attr) {
	w.HasBefore = true
	w.Before = Before{Size: a.Size, Mtime: a.Mtime, Ctime: a.Ctime}
}

// TimeHow says what to do with one time stamp (RFC 1813, time_how).
type TimeHow uint8

// The ways to set a time.
const (
	TimeKeep   TimeHow = iota // leave it
	TimeServer                // the server's present time
	TimeClient                // the given time
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
	Size     uint64 // may be anything a client can send; see [View.SetAttr]
	AtimeHow TimeHow
	MtimeHow TimeHow
	Atime    Time
	Mtime    Time
}

// Entry is an object found by name or made by an operation.
type Entry struct {
	Handle  Handle
	HasAttr bool
	Attr    Attr
}

// HandleMax is the largest handle in bytes that a back end may give out; the
// export layer adds its own fields and stays within NFSv3's 64 bytes.
const HandleMax = 44

// Handle names an object for as long as it exists: over renames, restarts and
// reboots. It has at least one byte; the zero value is no object's. It is a comparable value, unused bytes are zero, and it is not yet
// protected against forgery: package export seals it.
type Handle struct {
	n uint8
	b [HandleMax]byte
}

// MakeHandle copies b into a Handle. It reports false when b is longer than
// HandleMax.
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
