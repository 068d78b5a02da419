package vfs

// Holder is the ability to keep files that have lost their last name, as a local file system does
// for those who have them open. Unlike other abilities it is the FS's own: any goroutine may call
// it, and every View of the FS has the same.
//
// Who knows what is open is the front end, and who knows what a name leads to is the back end,
// under the lock that the name is removed under. So the back end asks, in the middle of Remove and
// Rename. A front end that looked the name up before could be wrong by the time it is removed, and
// would see only the removals of its own protocol.
type Holder interface {
	// AskKeeper has all Remove and Rename of the FS ask k from now on, in the place of whom they
	// asked before. nil asks nobody. It does not block.
	AskKeeper(k Keeper)
}

// Keeper says which files outlive their names. Any goroutine calls it, several at a time. It must
// not wait for others and must not call the FS. A file that is held can be read, written, looked at
// and changed through its handle, by all. It has no names: its Nlink is 0.
type Keeper interface {
	// Any reports whether there is any file at all that Keep would want; it is asked first, since
	// it costs less.
	Any() bool
	// Keep reports whether h, a regular file that is about to lose a name, is to be held if that is
	// its last one. If the back end can hold no more, the name stays and its status is Delay.
	// Locks of the back end are held. A back end whose files can be opened in the middle of that
	// asks a keeper that has said no again, when the name has gone.
	Keep(h Handle) bool
	// Kept follows each Keep that said true, once the name is gone or is to stay. If the file has
	// lost its last name and is held, held is not nil, and belongs to the keeper. No lock of the
	// back end is held.
	Kept(h Handle, held Held)
}

// Held is one hold of a file without a name. Each ends by itself; the file goes with the last one.
type Held interface {
	// Drop ends the hold. It is called once, from any goroutine, as long as the FS is open. It does
	// not block.
	Drop()
}
