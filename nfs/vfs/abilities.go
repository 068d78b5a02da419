package vfs

// Abilities are what a [View] can do beyond what every View must do. A field is nil if the View
// cannot do it. Each ability is a small interface. It follows the View's rules for threads,
// blocking and ownership, and belongs to the View's thread.
//
// Front ends find an ability here, and never by a type assertion on the View. A View that wraps
// another one wraps its abilities field by field, and so does not lose one that it does not know.
type Abilities struct {
	// Splice moves a file's pages to a pipe.
	Splice Splicer
	// ACLs keeps POSIX access control lists.
	ACLs ACLs
	// Hold keeps files that have lost their names.
	Hold Holder
	// Locks shows byte-range locks to the programs of the server's machine.
	Locks Locker
	// Ranges keeps files of which parts have no space on the disc.
	Ranges Ranges
	// Copy copies and clones files without passing their data to the caller.
	Copy Copier
	// Xattrs keeps extended attributes of users.
	Xattrs Xattrs
}
