// Package verdict has the kernel decide what a caller may do with an open object, and
// remembers the answers.
//
// A verdict is the kernel's answer for one object, caller and ctime. It is used while the
// object shows that ctime, for two ticks at most. docs/design/0003-posixfs.md says why both
// are needed. A remembered yes stands for a question; a remembered no stands only for
// ACCESS, which asks for advice: an object may be refused for a reason that leaves no trace
// in its ctime, such as a file system that was read-only.
//
// A [Shared] is a file system's, an [Object] lies in the state of an open object, and a
// [Judge] is one thread's. A Judge takes no lock. It may block for the file system, but on a
// lane it says vfs.Again instead.
package verdict
