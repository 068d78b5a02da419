// Package stable puts changes on stable storage. It makes sure that everybody who must learn of a
// failure does.
//
// The kernel reports a failed write-back once per descriptor, so a later success proves nothing.
// Two rules follow. First, calls that wait for one file share an fsync only if it began after they
// asked ([Flushes]); if it fails, all of them get its error. Second, every failure changes the
// write verifier ([Store]) before anybody is told of the failure, so that clients send again the
// data that they hold. docs/design/0019-write-back-errors.md has the reasons.
//
// A [Store] belongs to a file system, a [File] to an open object. Any thread may use both. All
// methods block for the disc, except Init, Failures, Since, MarkAll, Verifier, Lost, Leaving, Wrote
// and Dirty.
package stable
