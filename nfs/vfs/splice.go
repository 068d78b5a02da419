package vfs

// Pipe is where a Splicer puts file pages. It is empty when it is handed over,
// and its descriptors stay the caller's.
type Pipe struct {
	ReadFD, WriteFD int
	// Room is how many bytes the pipe can hold when they begin with a page, else up
	// to a page fewer.
	Room int
}

// Splicer is the ability to move a file's pages to a pipe instead of copying their
// bytes.
type Splicer interface {
	// Splice is Read with a pipe in the place of memory: r.N is at most r.To.Room, and
	// moved bytes are in the pipe when it returns, with OK; with any other status
	// the pipe is as it was. NotSupp says that the data has to go through memory:
	// the file system cannot, or its pages do not all fit. Fewer than r.N bytes
	// without eof are possible, of a file that shrinks meanwhile. What the pages
	// hold may change until they have been sent, as others write to the file; the
	// number of bytes does not.
	Splice(c *Cred, h Handle, r *SpliceArgs, a *Attr) (moved int, eof bool, s Status)
}

// SpliceArgs is what [Splicer.Splice] is asked for.
type SpliceArgs struct {
	Off uint64 // bytes
	N   int    // bytes
	To  *Pipe
}
