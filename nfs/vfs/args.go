package vfs

// What a method of a View is asked for, and what it gives beyond a few values, are
// structs, so that a field more breaks no back end. All are the caller's, as every
// argument is, and none is kept.

// ReadArgs is what [Files.Read] is asked for.
type ReadArgs struct {
	Off uint64 // bytes
	Dst []byte
}

// WriteArgs is what [Files.Write] is asked for.
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

// Found is where [Names.Lookup] puts what it finds. Both are set.
type Found struct {
	Entry *Entry
	Dir   *Attr // of the directory, as it was when the name was looked up
}

// Made is where the methods that make an object put what it is, and what its directory
// was and is like. Both are set.
type Made struct {
	Entry *Entry
	Dir   *WCC
}

// CreateArgs is what [Names.Create] is asked for.
type CreateArgs struct {
	Name []byte
	How  CreateHow
	Set  *SetAttr // not for Exclusive
	Verf uint64   // for Exclusive only
}

// MkdirArgs is what [Names.Mkdir] is asked for.
type MkdirArgs struct {
	Name []byte
	Set  *SetAttr
}

// SymlinkArgs is what [Names.Symlink] is asked for.
type SymlinkArgs struct {
	Name   []byte
	Target []byte // 1 to 4095 bytes without NUL
	Set    *SetAttr
}

// MknodArgs is what [Names.Mknod] is asked for.
type MknodArgs struct {
	Name         []byte
	Type         FileType // TypeBlk, TypeChr, TypeSock or TypeFifo
	Major, Minor uint32   // of devices
	Set          *SetAttr
}

// RenameArgs is what [Names.Rename] is asked for.
type RenameArgs struct {
	From     Handle // a directory
	FromName []byte
	To       Handle // a directory
	ToName   []byte
}

// LinkArgs is what [Names.Link] is asked for.
type LinkArgs struct {
	Object Handle // gets one more name
	Dir    Handle
	Name   []byte
}

// ReadDirArgs is what [Directories.ReadDir] is asked for.
type ReadDirArgs struct {
	Cookie uint64 // of the entry after which the listing goes on, 0 for the first
	Verf   uint64 // what came with Cookie
	// Want is what entries are to come with, as far as the caller may see it. A back end
	// may give more.
	Want EntryMask
	// Yield takes one entry, which it borrows with its name until it returns, and returns
	// false when it wants no more.
	Yield func(*DirEntry) bool
}
