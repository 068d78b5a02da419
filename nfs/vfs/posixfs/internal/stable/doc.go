// Package stable puts changes on stable storage, and makes sure that everybody hears of a
// failure who must.
//
// The kernel reports a failed write-back once per descriptor, so a later success proves
// nothing. Two rules follow. Calls that wait for one file share an fsync only if it began
// after they asked ([Flushes]), and all whom a failed one covers get its error. And every
// failure changes the write verifier ([Store]) before anybody hears of it, so that clients
// send again what they hold. docs/design/0019-write-back-errors.md has the reasons.
//
// A [Store] is a file system's, a [File] an open object's; both may be used by any thread.
// All methods but Failures, Since, Verifier, Lost, Wrote and Dirty block for the disc.
package stable
