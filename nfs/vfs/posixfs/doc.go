// Package posixfs serves a directory of a local Linux file system (ext4, XFS, btrfs, tmpfs and
// others that can give file handles) through package vfs.
//
// # Rooms
//
// This package has the [FS], the [View] and a file for each operation. Below it are packages that
// know one thing each. A package knows another one only if the list says "on":
//
//	internal/kernel   system calls, handles, errnos, and for whom a thread acts
//	internal/kind     properties of file systems: names, limits, time stamps (on kernel)
//	internal/mounts   where an export is mounted, changes of the mount table (on kernel)
//	internal/recall   bounded memory that forgets: places for items by their hash
//	internal/table    the open objects, their descriptors, and who uses them (on kernel)
//	internal/verdict  what a caller may do with an open object (on kernel, recall)
//	internal/iopolicy which way data goes: through the page cache, to stay or not, or past it
//	internal/pace     whether lanes write themselves (on kernel)
//	internal/stable   shared fsyncs, and the write verifier (on kernel)
//	internal/iopath   how data goes (on kernel, table, and the three above)
//	internal/known    the handles of objects that nobody has open (on kernel, recall)
//	internal/listing  reading directories, pages of them, and places (on kernel, recall)
//	internal/search   finding objects without CAP_DAC_READ_SEARCH (on kernel)
//	internal/sole     what is remembered of a tree that nobody else changes
//
// This package keeps a state with each open object (state.go). It has one part for each subsystem,
// and only that subsystem writes the part.
//
// # Life cycle
//
// [New] opens the directory. If the process may (CAP_SYS_ADMIN), New makes a private, detached
// mount of the directory, so that clients can reach neither mounts below it nor anything above it.
// Each thread then makes its own [View]. All Views must be closed before FS.Close is called.
//
// # Descriptors
//
// An entry (table.Entry) stands for one object. It has an O_PATH descriptor. A file that is read or
// written, and a directory that is synced, has further descriptors for that. The entries are in one
// table per FS, which is bounded. Every View has a map of its own in front of the table, which
// takes no lock. An operation publishes the entry that it uses in its View (a hazard slot,
// table.Uses), and only then checks whether the entry is alive. The table marks an entry dead
// first, and hands it out for closing once no View has published it. Only the Views that have ever
// used the entry are asked (docs/design/0050-retiring-without-a-scan.md). So the fast path costs
// two stores to a cache line of the thread's own, and the descriptors of an idle entry can be
// closed although an idle thread still remembers the entry.
//
// Attributes are never kept: every operation asks the kernel, unless nobody else changes the tree
// (Config.Exclusive, kept.go). But LOOKUPs that a lane has received together ask once for their
// directory (sample.go). The FS keeps the names of a directory that was listed, or in which many
// names were looked up, as long as the ctime says that they are the same. It keeps the handles of
// objects that cannot be mistaken for others. Packages listing and known and namecache.go do this,
// in memories of package recall.
//
// # Rights
//
// As root, an operation that needs a permission runs in one of two ways: with the caller's fsuid,
// fsgid and groups, or with the process's own rights after the kernel has answered faccessat2 for
// the caller. The FS remembers such an answer for the object's ctime and the caller only. A process
// that is not root serves every caller with its own rights.
//
// # Page cache
//
// The FS's [IOMode] says which data large READs and WRITEs leave in the page cache. Only workers
// read and write past the page cache. A lane serves a READ if the data is in it.
//
// # Mounts
//
// While something else is mounted at the directory's path, or the directory's file system has been
// unmounted, every operation returns Delay (mountpoint.go).
//
// # FUSE
//
// A FUSE file system is another program. It may count no links, forget objects that are not in use,
// or give places in directories that do not last. The FS tries these at the start (fuse.go, package
// listing). Features reports what the FS cannot serve correctly.
//
// # Goroutines
//
// Each FS has four goroutines. runJanitor closes entries that have been idle, and files that have
// been written and are stable. It flushes files that must be flushed before they are closed, and
// brings access times up to date. runMounts checks where the path leads. runWatch counts ticks and
// watches lanes that write, and runDirty watches dirty memory. The process has one more goroutine
// (watch.run of package mounts), which waits for changes of the mount table and tells runMounts of
// every FS. Messages whose log may be slow have short-lived goroutines (runReport and others).
//
// # Lock order
//
//	stable.File.leaving (flushing and closing retired entries)
//	FS.locks (directories, by stripe number; workers only)
//	  Entry.Opening (opening descriptors)
//	    FS.lent (modes of files, not as root)
//	    the table's
//	      FS.viewsMu, the finder's, stable.Flushes.mu (not held over an fsync)
package posixfs
