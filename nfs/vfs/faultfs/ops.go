package faultfs

// Op is an operation: a method of vfs.View other than Close and Abilities, or of an ability, or
// Pay.
type Op uint8

// The operations.
const (
	GetAttr Op = iota
	SetAttr
	Access
	Statfs
	PathConf
	Read
	Write
	Commit
	ReadLink
	Lookup
	Create
	Mkdir
	Symlink
	Mknod
	Remove
	Rmdir
	Rename
	Link
	Walk
	ReadDir
	Splice
	GetACL
	SetACL
	OpenLocks
	Allocate
	Deallocate
	Seek
	WillNeed
	Clone
	Copy
	Lend
	GetXattr
	SetXattr
	ListXattrs
	RemoveXattr
	// Pay is the method of vfs.Payer. Where a thread's vfs.Debts are open, every change owes, with
	// every back end.
	Pay
	NumOp // the number of operations
)

// ops has the facts about each operation. The names are those of the methods.
var ops = [NumOp]struct {
	name string
	// changes: the operation can change something, so it fails on a read-only file system.
	changes bool
	// flushes: if the operation fails as on a broken disc, unstable data may be lost.
	flushes bool
	// owes: the operation makes a change that is to be on stable storage.
	owes bool
}{
	GetAttr:  {name: "GetAttr"},
	SetAttr:  {name: "SetAttr", changes: true, owes: true},
	Access:   {name: "Access"},
	Statfs:   {name: "Statfs"},
	PathConf: {name: "PathConf"},
	Read:     {name: "Read"},
	Write:    {name: "Write", changes: true, flushes: true},
	Commit:   {name: "Commit", changes: true, flushes: true},
	ReadLink: {name: "ReadLink"},
	Lookup:   {name: "Lookup"},
	Create:   {name: "Create", changes: true, owes: true},
	Mkdir:    {name: "Mkdir", changes: true, owes: true},
	Symlink:  {name: "Symlink", changes: true, owes: true},
	Mknod:    {name: "Mknod", changes: true, owes: true},
	Remove:   {name: "Remove", changes: true, owes: true},
	Rmdir:    {name: "Rmdir", changes: true, owes: true},
	Rename:   {name: "Rename", changes: true, owes: true},
	Link:     {name: "Link", changes: true, owes: true},
	Walk:     {name: "Walk"},
	ReadDir:  {name: "ReadDir"},
	Splice:   {name: "Splice"},
	GetACL:   {name: "GetACL"},
	SetACL:   {name: "SetACL", changes: true, owes: true},

	Allocate:    {name: "Allocate", changes: true, flushes: true, owes: true},
	Deallocate:  {name: "Deallocate", changes: true, flushes: true, owes: true},
	Seek:        {name: "Seek"},
	WillNeed:    {name: "WillNeed"},
	Clone:       {name: "Clone", changes: true, flushes: true, owes: true},
	Copy:        {name: "Copy", changes: true, flushes: true},
	Lend:        {name: "Lend"},
	GetXattr:    {name: "GetXattr"},
	SetXattr:    {name: "SetXattr", changes: true, owes: true},
	ListXattrs:  {name: "ListXattrs"},
	RemoveXattr: {name: "RemoveXattr", changes: true, owes: true},
	Pay:         {name: "Pay", flushes: true},
	OpenLocks:   {name: "OpenLocks"},
}

// String returns the method's name.
func (o Op) String() string {
	if o < NumOp {
		return ops[o].name
	}
	return "unknown operation"
}

// Changes reports whether the operation can change something.
func (o Op) Changes() bool { return o < NumOp && ops[o].changes }

// Changing returns all operations that can change something, for a [Rule] that plays a full or
// read-only disc.
func Changing() []Op {
	var all []Op
	for o := range NumOp {
		if o.Changes() {
			all = append(all, o)
		}
	}
	return all
}
