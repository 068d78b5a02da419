// Package export holds the table of exported trees: who may mount them, how
// their callers' credentials are mapped, and the sealing of file handles.
//
// A [Table] is immutable after it has been built and may be used from any
// goroutine without a lock. It owns its file systems and closes them.
//
// # Handles on the wire
//
// A file handle that clients see is at most 64 bytes: a version, the export's
// ID, the back end's own handle and a keyed MAC over all of it. The MAC's key is
// the export's own: it is made of the server's key, which is kept in the state
// directory and survives restarts, and of the identity of the export's file system
// (vfs.Identity). So handles survive restarts, too, and are good for no file system
// but the one that they were made for. A handle that was not made with this key, or that was altered in any
// bit, is a stale handle: nothing of it is passed on to a file system.
package export
