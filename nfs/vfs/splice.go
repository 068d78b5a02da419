package vfs

// Pipe is where a Splicer puts file pages. It is empty when it is handed over. The caller owns its
// descriptors.
type Pipe struct {
	ReadFD, WriteFD int
	// Room is how many bytes the pipe can hold if they begin at a page boundary. Otherwise it
	// can hold up to a page fewer.
	Room int
}

// Splicer is the ability to move a file's pages to a pipe instead of copying their
// bytes.
type Splicer interface {
	// Splice is Read with a pipe in place of memory. r.N is at most r.To.Room. With OK the pipe
	// holds the moved bytes when Splice returns; with any other status the pipe is unchanged.
	// NotSupp says that the data has to go through memory, because the file system cannot
	// splice, or the pages do not all fit.
	//
	// Splice may move fewer than r.N bytes without eof if the file shrinks meanwhile. Until the
	// pages have been sent, their content may change as others write to the file; the number of
	// bytes does not change.
	Splice(c *Cred, h Handle, r *SpliceArgs, a *Attr) (moved int, eof bool, s Status)
}

// SpliceArgs are the arguments of [Splicer.Splice].
type SpliceArgs struct {
	Off uint64 // bytes
	N   int    // bytes
	To  *Pipe
}
