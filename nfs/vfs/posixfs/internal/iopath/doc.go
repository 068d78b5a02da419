// Package iopath moves the data of READ and WRITE between files and memory: through the
// page cache or past it, with a copy or by splice(2), on a lane that must not sleep or on a
// worker that may.
//
// A READ enters by [Path.Read] or [Path.Splice], a WRITE by [Path.Write], each once. Which
// way the data goes is package iopolicy's to decide, whether a lane writes at all is package
// pace's, and what becomes stable is package stable's. Package posixfs opens the file, checks
// the caller's rights, and answers.
//
// # Who owns what
//
// A [Shared] is a file system's, set up before the first Path and then used by all threads.
// A [File] lies in the state of an open object. A [Path] is one thread's and holds what the
// kernel reads and writes on its behalf, so that no call allocates. Memory that callers pass
// is theirs again when the call returns.
//
// # Who may block
//
// Paths of workers may. A lane's Path makes only calls that do not sleep, as far as the
// kernel lets one know, and says vfs.Again where a worker has to go on; docs/design/0008 and
// 0010 have the exceptions.
package iopath
