package vfs

// Abilities are what a [View] can do beyond what every View has to. A field is nil where
// it cannot. Each ability is a small interface, with the View's rules for threads,
// blocking and ownership, and belongs to the View's thread.
//
// Front ends find an ability here, and never by a type assertion on the View: a View that
// wraps another one has abilities of its own type, field by field, and would lose those
// that it does not know.
type Abilities struct {
	// Splice moves a file's pages to a pipe.
	Splice Splicer
	// ACLs keeps POSIX access control lists.
	ACLs ACLs
}
