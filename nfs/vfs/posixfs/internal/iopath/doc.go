// Package iopath moves the data of READ and WRITE between files and memory: through the page cache
// or past it, with a copy or by splice(2), on a lane that must not sleep or on a worker that may.
//
// The data of a READ goes by [Path.Read] or [Path.Splice], that of a WRITE by [Path.Write]. Package
// iopolicy decides which way it goes, package pace whether a lane writes at all, and package stable
// what is stable. Package posixfs opens the file, checks the caller's rights, and answers. Before
// the data moves it asks MaySplice or MayWrite, and after Path.Read it reports to Passed.
//
// # Who owns what
//
// A [Shared] belongs to a file system. It is set up before the first Path, and then used by all
// threads. A [File] lies in the state of an open object. A [Path] belongs to one thread. It holds
// the memory that the kernel reads and writes for that thread, so that no call allocates. Memory
// that a caller passes belongs to the caller again when the call returns.
//
// # Who may block
//
// A worker's Path may block. A lane's Path makes only calls that do not sleep, as far as that can
// be known before, and returns vfs.Again if a worker has to go on. docs/design/0008 and 0010 list
// the exceptions.
package iopath
