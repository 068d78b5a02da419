// Package kernel makes the system calls of posixfs in the form that its hot path wants: no strings,
// no errors in interfaces, results in structures of the caller. The package knows the peculiarities
// of each call, and nothing of the purpose for which posixfs makes it.
//
//   - Calls whose names end in Raw do not tell Go's scheduler. Lanes make them, and so does every
//     caller whose call cannot sleep. The other calls may sleep; some of them repeat a call that
//     failed, within the limits of [Patience].
//   - [FileHandle] is the kernel's handle of an object. [Handle] makes a vfs handle of it.
//     [ObjectKey] tells one living object from all others.
//   - [StatusOf] translates an errno for front ends.
//   - [Rights] say for whom a thread acts. They belong to the thread: only code that runs on the
//     thread, locked to it, may change them.
//   - [Namespace] is the users and groups that the process's user namespace maps.
package kernel
