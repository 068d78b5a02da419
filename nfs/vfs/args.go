package vfs

// The arguments of a View's methods are structs, and so are results beyond a few values. So a new
// field breaks no back end. The structs belong to the caller, as every argument does, and a View
// keeps none.

// ReadArgs are the arguments of [Files.Read].
type ReadArgs struct {
	Off uint64 // bytes
	Dst []byte
}

// WriteArgs are the arguments of [Files.Write].
type WriteArgs struct {
	Off uint64   // bytes
	Src [][]byte // written one after the other
	How Stability
}

// CommitArgs is the range of [Files.Commit].
type CommitArgs struct {
	Off   uint64 // bytes
	Count uint32 // bytes; 0 is to the end of the file
}

// Found is where [Names.Lookup] puts what it finds. The caller sets both fields.
type Found struct {
	Entry *Entry
	Dir   *Attr // of the directory at the time of the look-up
}

// Made is where the methods that make an object put that object, and the attributes of its
// directory before and after. The caller sets both fields.
type Made struct {
	Entry *Entry
	Dir   *WCC
}

// CreateArgs are the arguments of [Names.Create].
type CreateArgs struct {
	Name []byte
	How  CreateHow
	Set  *SetAttr // not for Exclusive
	Verf uint64   // for Exclusive only
	// Mode is the mode that a new file is made with, for Exclusive only; set-id bits are ignored.
	Mode uint32
}

// MkdirArgs are the arguments of [Names.Mkdir].
type MkdirArgs struct {
	Name []byte
	Set  *SetAttr
}

// SymlinkArgs are the arguments of [Names.Symlink].
type SymlinkArgs struct {
	Name   []byte
	Target []byte // 1 to 4095 bytes without NUL
	Set    *SetAttr
}

// MknodArgs are the arguments of [Names.Mknod].
type MknodArgs struct {
	Name         []byte
	Type         FileType // TypeBlk, TypeChr, TypeSock or TypeFifo
	Major, Minor uint32   // of devices
	Set          *SetAttr
}

// RenameArgs are the arguments of [Names.Rename].
type RenameArgs struct {
	From     Handle // a directory
	FromName []byte
	To       Handle // a directory
	ToName   []byte
}

// LinkArgs are the arguments of [Names.Link].
type LinkArgs struct {
	Object Handle // gets one more name
	Dir    Handle
	Name   []byte
}

// ReadDirArgs are the arguments of [Directories.ReadDir].
type ReadDirArgs struct {
	Cookie uint64 // of the entry after which the listing goes on, 0 for the first
	Verf   uint64 // the verifier that came with Cookie
	// AnyVerf says that the caller does not know the verifier: Verf is not looked at.
	AnyVerf bool
	// Want is what each entry should come with, as far as the caller may see it. A back end may
	// give more.
	Want EntryMask
	// Yield takes one entry. It borrows the entry and its name until it returns, and returns
	// false when it wants no more.
	Yield func(*DirEntry) bool
}

// RangeArgs is the range of [Ranges.Allocate] and its like.
type RangeArgs struct {
	Off, Len uint64 // bytes; Len is not 0
}

// SeekArgs are the arguments of [Ranges.Seek].
type SeekArgs struct {
	Off  uint64 // bytes
	Hole bool   // look for a hole, not for data
}

// CopyArgs are the arguments of [Copier.Clone] and [Copier.Copy], beside the file that they change.
type CopyArgs struct {
	// From, FromCred and FromHandle are the file that is read: the Copier of its View, a
	// credential of the same thread, and its handle.
	From       Copier
	FromCred   *Cred
	FromHandle Handle
	FromOff    uint64 // bytes
	Off        uint64 // bytes, in the file that is changed
	Len        uint64 // bytes; 0 is to the end of the file that is read
}

// XattrArgs are the arguments of [Xattrs.SetXattr].
type XattrArgs struct {
	Name  []byte
	Value []byte
	How   XattrHow
}
