// Package kernel makes the system calls of posixfs in the form that its hot path wants: no
// strings, no errors in interfaces, results in structures of the caller. It knows what is
// particular to a call and nothing of what it is made for.
//
//   - Calls whose names end in Raw do not tell Go's scheduler. They are for lanes, and for
//     calls that do not sleep. The others may sleep, and are made again for as long as
//     [Patience] has it.
//   - [FileHandle] is the kernel's handle of an object and [Handle] what vfs makes of it.
//     [ObjectKey] tells one living object from all others.
//   - [StatusOf] says what an errno is to a front end.
//   - [Rights] are whom a thread acts for. They belong to the thread: whoever changes them
//     is on it, locked to it.
//   - [Namespace] is what the process's user namespace maps.
package kernel
