package vfs

import "github.com/ringnfs/ringnfs/nfs/acl"

// ACLMax is the most entries in a list that an [ACLs] takes or gives.
const ACLMax = 1024

// ACLSet is the part of an object's POSIX access control lists that one call reads or changes.
type ACLSet struct {
	// HasAccess and HasDefault say which lists the call is about.
	HasAccess, HasDefault bool
	// Access is the list that decides the rights on the object itself; nil means that the
	// object's mode says everything.
	Access acl.List
	// Default is the list that objects made in the directory begin with; nil for none.
	Default acl.List
}

// ACLs is the ability to keep POSIX access control lists.
type ACLs interface {
	// GetACL fills in the lists of set that the call is about. It needs no permission: having
	// the handle is enough. Only a directory has a default list, and an object of a file system
	// without lists has none at all. a is filled as in Read.
	GetACL(c *Cred, h Handle, set *ACLSet, a *Attr) Status
	// SetACL changes the lists of set that the call is about with c's rights, Access first; nil
	// removes a list. The mode follows the access list. The status is Inval for something that
	// is no list ([acl.List.Valid]), Access for a default list of an object that is not a
	// directory, and NotSupp where the file system keeps no lists. A change is on stable
	// storage when SetACL returns OK. a is filled as in Read, with the attributes after the
	// change.
	SetACL(c *Cred, h Handle, set *ACLSet, a *Attr) Status
}
