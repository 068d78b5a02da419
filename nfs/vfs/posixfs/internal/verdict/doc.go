// Package verdict asks the kernel what a caller may do with an open object, and remembers the
// answers.
//
// A verdict is the kernel's answer for one object, caller and ctime. It is used while the object
// shows that ctime, for two ticks at most. docs/design/0003-posixfs.md says why both limits are
// needed. A remembered yes replaces a question to the kernel. A remembered no does so only for
// ACCESS, which asks for advice: the reason of a refusal may leave no trace in the object's ctime,
// for example a file system that was read-only.
//
// A [Shared] belongs to a file system, an [Object] lies in the state of an open object, and a
// [Judge] belongs to one thread. A Judge takes no lock. It may block for the file system, but on a
// lane it returns vfs.Again instead.
package verdict
