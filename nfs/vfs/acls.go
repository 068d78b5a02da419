package vfs

import "github.com/ringnfs/ringnfs/nfs/acl"

// ACLMax is the largest number of entries in a list that an [ACLs] takes or gives.
const ACLMax = 1024

// ACLSet is what one call reads or changes of an object's POSIX access control lists.
type ACLSet struct {
	// HasAccess and HasDefault say which lists the call is about.
	HasAccess, HasDefault bool
	// Access is what the object's own rights are decided by; nil says that its mode says
	// it all.
	Access acl.List
	// Default is what objects begin with that are made in the directory; nil for none.
	Default acl.List
}

// ACLs is the ability to keep POSIX access control lists.
type ACLs interface {
	// GetACL fills the lists of set that the call is about. It needs no permission:
	// having the handle is enough. What is not a directory has no default list, and an
	// object of a file system without lists has none at all. a is filled as in Read.
	GetACL(c *Cred, h Handle, set *ACLSet, a *Attr) Status
	// SetACL changes the lists of set that the call is about with c's rights, Access
	// first: nil takes a list away. The mode follows the access list. Inval for what is
	// no list ([acl.List.Valid]), Access for a default list of what is not a directory,
	// NotSupp where the file system keeps none. A change is on stable storage when
	// SetACL returns OK. a is filled as in Read, with what the object is like
	// afterwards.
	SetACL(c *Cred, h Handle, set *ACLSet, a *Attr) Status
}
