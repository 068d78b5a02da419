package vfs

// Thread describes the operating-system thread that Views are made for. The goroutine that owns it
// stays locked to the thread for the thread's whole life.
type Thread struct {
	// MayWait is true on a worker, whose Views may sleep in the kernel, and false on a lane. It
	// does not change.
	MayWait bool
	// Creds interns the credentials of the calls that run on this thread.
	Creds Creds
	// Epoch changes whenever the thread has looked for new calls. So all calls that run in one
	// epoch had arrived before the first of them ran, and what a back end has asked the kernel
	// for one of them is fresh enough for the others. 0 says nothing of that kind; on a worker
	// Epoch stays 0.
	Epoch uint64
	// Debts are what changes on this thread owe to stable storage.
	Debts Debts

	local map[any]any // see Local
}

// Local returns a value that one kind of back end keeps for the thread, and that all its Views on
// the thread share, such as the credential that it has given the thread in the kernel. key is of a
// type that only this kind of back end has. fresh makes the value the first time. Local is called
// on the thread.
func (t *Thread) Local(key any, fresh func() any) any {
	x, ok := t.local[key]
	if !ok {
		if t.local == nil {
			t.local = make(map[any]any)
		}
		x = fresh()
		t.local[key] = x
	}
	return x
}

// Identity names one tree of one file system. It is the same as long as handles of the tree are
// good, over restarts and reboots. No other tree ever has it: neither a file system that is mounted
// in the same place later, nor another directory that gets the same path. The zero value names no
// tree.
type Identity [32]byte

// FS is one tree that can be exported. Any goroutine may call its methods. They do not block unless
// said otherwise.
type FS interface {
	// Identity returns the identity that the tree's handles are sealed with, so that they are
	// good for no other tree. It does not change, and is not the zero value.
	Identity() Identity
	// Root returns the handle of the tree's top directory.
	Root() Handle
	// Limits says what the file system can do.
	Limits() Limits
	// Verifier returns the write verifier (RFC 1813, section 3.3.7). It changes whenever data
	// written UNSTABLE may have been lost: after a restart and after a failed write-back.
	Verifier() uint64
	// View returns the tree as seen from the calling thread, which t describes.
	// It may block.
	View(t *Thread) (View, error)
	// Close releases what the FS holds. All Views must have been closed before.
	Close() error
}

// Limits is what FSINFO and PATHCONF tell of a file system.
type Limits struct {
	NameMax         uint32 // bytes in a name
	LinkMax         uint32 // hard links to a file
	FileSizeMax     uint64 // bytes
	TimeDelta       Time   // resolution of time stamps
	HardLinks       bool
	SymbolicLinks   bool
	CaseInsensitive bool
	CasePreserving  bool
	ChownRestricted bool // only the superuser may give a file away
	NoTrunc         bool // long names are refused, not shortened
	Homogeneous     bool // PATHCONF is the same for all objects
	CanSetTime      bool
	Xattrs          bool   // objects have extended attributes: see [Xattrs]
	CheapSeek       bool   // Ranges.Seek costs less than to read 64 KiB
	CloneBlock      uint32 // bytes: what a clone is a multiple of, 0 if nothing can be cloned
	// CtimeIsChange says that change attributes are ctimes in nanoseconds, and later ones greater.
	// It is for the FS as a whole; single objects can lack Attr.Change nevertheless.
	CtimeIsChange bool
}

// View is an FS seen from one thread. The package comment tells the rules for threads, blocking
// ([Again]) and ownership. Results are valid only as far as the method says; with every status but
// OK they are unspecified unless said otherwise.
type View interface {
	Objects
	Files
	Names
	Directories
	// Abilities returns what the View can do beyond these methods: never nil, and the same each
	// time.
	Abilities() *Abilities
	// Close releases what the View holds. It is called on the View's thread. If changes owe
	// something ([Debts]), it pays, and a later Pay says what became of that.
	Close()
}

// Objects are the operations on an object as a whole.
type Objects interface {
	// GetAttr fills in a. It needs no permission: having the handle is enough.
	GetAttr(h Handle, a *Attr) Status
	// SetAttr changes attributes with c's rights, size first. If s.Guard is not nil and differs
	// from the object's ctime, it changes nothing and returns NotSync. A size above the file
	// system's largest is FBig or Inval. A change is on stable storage when SetAttr returns OK.
	// w is filled in as far as possible with every status but Again.
	SetAttr(c *Cred, h Handle, s *SetAttr, w *WCC) Status
	// Access returns which of the wanted permissions c has, and the object's attributes. It
	// does not count the right of an owner to open a file whose mode locks the owner out.
	Access(c *Cred, h Handle, want Permission, a *Attr) (Permission, Status)
	// Statfs fills in s for the file system that h is on.
	Statfs(c *Cred, h Handle, s *Statfs) Status
	// PathConf fills in l with the limits of the FS. Where directories differ (l.Homogeneous is
	// false), l tells how names are compared in the directory h; if h is not a directory, l is
	// that of the FS. PathConf needs no permission.
	PathConf(h Handle, l *Limits) Status
}

// Permission is a set of rights, with the kernel's bits of access(2).
type Permission uint8

// Rights.
const (
	MayExec Permission = 1 << iota // run a file, search a directory
	MayWrite
	MayRead
)

// Statfs is how full a file system is.
type Statfs struct {
	TotalBytes, FreeBytes, AvailBytes uint64 // Avail: for callers who are not the superuser
	TotalFiles, FreeFiles, AvailFiles uint64
}

// Stability is how safe written data is, in RFC 1813's numbers (stable_how).
type Stability uint32

// Degrees of stability.
const (
	Unstable Stability = iota // in memory: a COMMIT must follow
	DataSync                  // the data and what is needed to find it are on stable storage
	FileSync                  // data and all metadata are on stable storage
)

// Files are the operations on the content of regular files, and on the target of symbolic links.
type Files interface {
	// Read fills r.Dst from offset r.Off. It returns how many bytes it read and whether the
	// read reached the end of the file; it returns fewer than len(r.Dst) bytes only together
	// with eof. Beyond the end it returns (0, true, OK), however far.
	//
	// a receives the attributes after the read, also when the read fails, except with Again and
	// for a dead handle. With Again the content of r.Dst is unspecified: a read that does not
	// wait may have filled a part of it before it met data that is not in memory.
	//
	// The owner may always read, and so may every user who may execute the file.
	Read(c *Cred, h Handle, r *ReadArgs, a *Attr) (n int, eof bool, s Status)
	// Write writes the segments of r.Src one after the other at r.Off. It returns how many
	// bytes it wrote: with OK at least one, unless Src is empty. The stability reached is r.How
	// or better. The verifier is one that was in force when the write began. w is filled in as
	// far as possible with every status but Again. The owner may always write.
	Write(c *Cred, h Handle, r *WriteArgs, w *WCC) (n int, got Stability, verf uint64, s Status)
	// Commit puts the range on stable storage. The verifier is one that was in force before
	// Commit began. A failed flush changes the verifier and is an error; no later Commit may
	// call the same flush a success.
	Commit(c *Cred, h Handle, r *CommitArgs, w *WCC) (verf uint64, s Status)
	// ReadLink copies the target of a symbolic link to dst, which should have room for 4096
	// bytes, and returns its length. For other objects it returns Inval. a is filled as in
	// Read.
	ReadLink(c *Cred, h Handle, dst []byte, a *Attr) (n int, s Status)
}

// CreateHow is how CREATE treats an existing file (RFC 1813, createmode3).
type CreateHow uint32

// What becomes of an existing object.
const (
	// Unchecked takes an existing regular file for success. Of the attributes only the size then
	// applies to it.
	Unchecked CreateHow = iota
	// Guarded fails with Exist if there is an object.
	Guarded
	// Exclusive takes an existing file for success only if a CREATE with the same verifier made
	// it, also before a restart.
	Exclusive
)

// Names are the operations on entries of a directory. Every change is on stable storage when the
// method returns OK. A name has 1 to 255 bytes without NUL and slash and is neither "." nor "..";
// callers have checked it. Only Lookup takes "." and "..". The WCC of each directory is filled in
// as far as possible with every status but Again. Its halves are taken under a lock that excludes
// other changes made through this FS.
type Names interface {
	// Lookup finds name in dir. ".." of the root is the root. f.Dir receives dir's attributes,
	// also with NoEnt.
	Lookup(c *Cred, dir Handle, name []byte, f *Found) Status
	// Create makes or finds a regular file.
	Create(c *Cred, dir Handle, r *CreateArgs, m *Made) Status
	// Mkdir makes a directory.
	Mkdir(c *Cred, dir Handle, r *MkdirArgs, m *Made) Status
	// Symlink makes a symbolic link.
	Symlink(c *Cred, dir Handle, r *SymlinkArgs, m *Made) Status
	// Mknod makes a device, socket or FIFO.
	Mknod(c *Cred, dir Handle, r *MknodArgs, m *Made) Status
	// Remove removes an entry that is not a directory. For a directory it returns IsDir.
	Remove(c *Cred, dir Handle, name []byte, w *WCC) Status
	// Rmdir removes an empty directory.
	Rmdir(c *Cred, dir Handle, name []byte, w *WCC) Status
	// Rename moves an entry, over an existing one where POSIX allows that. from and to are for
	// the two directories.
	Rename(c *Cred, r *RenameArgs, from, to *WCC) Status
	// Link makes a hard link. a receives the attributes of r.Object after it, also on failure.
	// w is for r.Dir.
	Link(c *Cred, r *LinkArgs, a *Attr, w *WCC) Status
	// Walk resolves a slash-separated path below the root. It follows symbolic links only as
	// long as they stay inside the tree. It serves MNT and may always wait.
	Walk(c *Cred, path string, e *Entry) Status
}

// Directories reads directories.
type Directories interface {
	// ReadDir calls r.Yield for each entry after the one that r.Cookie belongs to, or from the
	// beginning if r.Cookie is 0. It stops when Yield returns false or at the end; eof says
	// whether it reached the end. "." and ".." are included.
	//
	// A cookie stays valid while entries come and go: an entry that exists throughout is seen
	// exactly once. If r.Cookie is not 0 and r.Verf is not the directory's verifier, unless
	// r.AnyVerf, or if r.Cookie cannot be a cookie, the status is BadCookie. d receives the
	// directory's attributes, also on failure. The returned verifier goes with the cookies.
	//
	// With Again the caller must forget the entries that were yielded.
	ReadDir(c *Cred, dir Handle, r *ReadDirArgs, d *Attr) (newVerf uint64, eof bool, s Status)
}

// EntryMask says which facts about an object a directory's entry comes with.
type EntryMask uint8

// Parts of a [DirEntry] that a back end may have to ask for one by one.
const (
	EntryHandle EntryMask = 1 << iota // Entry.Handle
	EntryAttr                         // Entry.Attr
)

// DirEntry is one entry of a directory.
type DirEntry struct {
	FileID   uint64
	Cookie   uint64 // never 0; continues after this entry
	Name     []byte
	HasEntry bool // Entry.Handle is filled in
	Entry    Entry
}
