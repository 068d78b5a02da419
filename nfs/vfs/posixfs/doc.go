// Package posixfs serves a directory of a local Linux file system (ext4, XFS,
// btrfs, tmpfs and others that can give file handles) through package vfs.
//
// # Life cycle
//
// [New] opens the directory and makes a private, detached mount of it where it
// may (CAP_SYS_ADMIN), so that neither mounts below it nor anything above it can
// be reached. Each thread then makes its own [View]. Close comes last, after all
// Views are closed.
//
// # Descriptors
//
// An entry stands for one object: an O_PATH descriptor and, for files that are
// read or written and directories that are synced, descriptors for that. Entries
// live in one table per FS, which is bounded. Every View has a map of its own in
// front of it, which takes no lock. An operation publishes the entry that it uses
// in its View (a hazard pointer) and only then looks whether the entry is still
// alive; whoever retires an entry marks it dead first and closes its descriptors
// only once no View has it published. So the fast path costs two stores to a cache
// line of the thread's own, and descriptors of idle entries can be closed although
// an idle thread still remembers them.
//
// Attributes are never kept: every operation asks the kernel, but LOOKUPs that a
// lane received together ask once for their directory (sample.go). Names of
// directories that were listed, or in which many were looked up, are kept for as
// long as the ctime says that they are the same, and handles for objects that
// cannot be mistaken for others (page.go, namecache.go, known.go).
//
// # Rights
//
// As root, operations that need a permission run with the caller's fsuid, fsgid
// and groups, or with the process's own rights after the kernel has answered
// faccessat2 for the caller; such an answer is remembered for the object's ctime
// and the caller only. A process that is not root serves every caller with its own
// rights.
//
// # Page cache
//
// What large READs and WRITEs leave in it is the FS's [IOMode]. Only workers read and
// write past it; a lane takes part as far as it finds data in it.
//
// # Goroutines
//
// One per FS (runJanitor): closes what has been idle and what has been written and
// is stable, flushes what must be flushed before it is closed, and brings access
// times up to date.
//
// # Lock order
//
//	FS.locks (directories, by stripe number; workers only)
//	  entry.io (opening descriptors)
//	    table.mu
//	      FS.viewsMu, names.mu, entry.flushes.mu (not held over an fsync)
package posixfs
