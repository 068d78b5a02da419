package faultfs

// Op is an operation: a method of vfs.View other than Close and Abilities, or of an ability.
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
	NumOp // the number of operations
)

// ops has the facts about each operation. The names are those of the methods.
var ops = [NumOp]struct {
	name string
	// changes: the operation can change something, so it fails on a read-only file system.
	changes bool
	// flushes: if the operation fails as on a broken disc, unstable data may be lost.
	flushes bool
}{
	GetAttr:  {name: "GetAttr"},
	SetAttr:  {name: "SetAttr", changes: true},
	Access:   {name: "Access"},
	Statfs:   {name: "Statfs"},
	PathConf: {name: "PathConf"},
	Read:     {name: "Read"},
	Write:    {name: "Write", changes: true, flushes: true},
	Commit:   {name: "Commit", changes: true, flushes: true},
	ReadLink: {name: "ReadLink"},
	Lookup:   {name: "Lookup"},
	Create:   {name: "Create", changes: true},
	Mkdir:    {name: "Mkdir", changes: true},
	Symlink:  {name: "Symlink", changes: true},
	Mknod:    {name: "Mknod", changes: true},
	Remove:   {name: "Remove", changes: true},
	Rmdir:    {name: "Rmdir", changes: true},
	Rename:   {name: "Rename", changes: true},
	Link:     {name: "Link", changes: true},
	Walk:     {name: "Walk"},
	ReadDir:  {name: "ReadDir"},
	Splice:   {name: "Splice"},
	GetACL:   {name: "GetACL"},
	SetACL:   {name: "SetACL", changes: true},

	Allocate:    {name: "Allocate", changes: true, flushes: true},
	Deallocate:  {name: "Deallocate", changes: true, flushes: true},
	Seek:        {name: "Seek"},
	WillNeed:    {name: "WillNeed"},
	Clone:       {name: "Clone", changes: true, flushes: true},
	Copy:        {name: "Copy", changes: true, flushes: true},
	Lend:        {name: "Lend"},
	GetXattr:    {name: "GetXattr"},
	SetXattr:    {name: "SetXattr", changes: true},
	ListXattrs:  {name: "ListXattrs"},
	RemoveXattr: {name: "RemoveXattr", changes: true},
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
