// Package posixfs serves a directory of a local Linux file system (ext4, XFS,
// btrfs, tmpfs and others that can give file handles) through package vfs.
//
// # Rooms
//
// This package has the [FS], the [View] and a file for each operation. Below it are
// packages that know one thing each, and nothing of the others unless it is said:
//
//	internal/kernel   system calls, handles, errnos, and whom a thread acts for
//	internal/kind     what file systems are like: names, limits, time stamps
//	internal/mounts   where an export is mounted, and changes of the mount table
//	internal/recall   bounded memory that forgets: places for items by their hash
//	internal/table    the open objects, their descriptors, and who uses them (on kernel)
//	internal/verdict  what a caller may do with an open object (on kernel, recall)
//	internal/iopolicy which way data goes: through the page cache, to stay or not, or past it
//	internal/pace     whether lanes write themselves
//	internal/stable   fsyncs that are shared, and the write verifier
//	internal/iopath   how data goes (on the four above, and table)
//	internal/known    the handles of objects that nobody has open (on kernel, recall)
//	internal/listing  reading directories, pages of them, and places (on kernel, recall)
//	internal/search   finding objects without CAP_DAC_READ_SEARCH (on kernel)
//
// What this package keeps with an open object is its state (state.go): one struct for
// each subsystem, which alone writes it.
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
// An entry (table.Entry) stands for one object: an O_PATH descriptor and, for files that
// are read or written and directories that are synced, descriptors for that. Entries
// live in one table per FS, which is bounded. Every View has a map of its own in
// front of it, which takes no lock. An operation publishes the entry that it uses
// in its View (a hazard slot, table.Uses) and only then looks whether the entry is still
// alive; the table marks an entry dead first, and hands it out for closing
// only once no View has it published. So the fast path costs two stores to a cache
// line of the thread's own, and descriptors of idle entries can be closed although
// an idle thread still remembers them.
//
// Attributes are never kept: every operation asks the kernel, but LOOKUPs that a
// lane received together ask once for their directory (sample.go). Names of
// directories that were listed, or in which many were looked up, are kept for as
// long as the ctime says that they are the same, and handles for objects that
// cannot be mistaken for others (packages listing and known, and namecache.go, in memories
// of package recall).
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
// # Mounts
//
// While something else is mounted at the directory's path, or what was there has been
// unmounted, every operation is Delay (mountpoint.go).
//
// # FUSE
//
// A file system that is another program may count no links, forget objects that are not
// in use, or give places in directories that do not last. That is tried at the start
// (fuse.go, package listing); what cannot be served rightly is said by Features.
//
// # Goroutines
//
// One per FS (runJanitor): closes what has been idle and what has been written and
// is stable, flushes what must be flushed before it is closed, and brings access
// times up to date. One per FS (runMounts) looks where the path leads when one per
// process (runMountWatch), which waits for changes of the mount table, says so. Two per
// FS watch lanes that write (runWatch) and dirty memory (runDirty).
//
// # Lock order
//
//	stable.File.leaving (flushing and closing what is retired)
//	FS.locks (directories, by stripe number; workers only)
//	  Entry.Opening (opening descriptors)
//	    FS.lent (modes of files, not as root)
//	    the table's
//	      FS.viewsMu, the finder's, stable.Flushes.mu (not held over an fsync)
package posixfs
