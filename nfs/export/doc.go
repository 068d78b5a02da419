// Package export holds the table of exported trees. It says who may mount them, how the credentials
// of their callers are mapped, and how file handles are sealed.
//
// A [Table] is immutable after it has been built. Any goroutine may use it without a lock. It owns
// its file systems and closes them.
//
// # Handles on the wire
//
// A file handle that clients see has at most 64 bytes: a version, the export's ID, the back end's
// own handle and a keyed MAC over all of it. Each export has a MAC key of its own, made of two
// things: the server's key, which the state directory keeps over restarts, and the identity of the
// export's file system (vfs.Identity). So handles survive restarts, too, and are good only for the
// file system that they were made for. A handle that was made with another key, or altered in any
// bit, is a stale handle: nothing of it reaches a file system.
package export
