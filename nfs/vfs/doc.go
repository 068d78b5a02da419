// Package vfs says what a file system is to the NFS front ends: interfaces, attributes, credentials
// and statuses. It holds no implementation.
//
// # Parts
//
// An [FS] is one exported tree. All threads share it, and it lives from the start of the server to
// its end. A [View] is the same tree seen from one operating-system thread, a lane's or a worker's.
// [FS.View] makes a View on its thread, and the View is used on that thread only. So it may keep
// caches and the thread's current credential without a lock.
//
// Whatever not every back end can do is an ability: a small interface in [Abilities], which the
// View returns.
//
// # Who may block
//
// [Thread.MayWait] says whether a View may sleep in the kernel. On a worker it may. On a lane it
// must not: an operation that cannot be answered from memory returns [Again] before it has changed
// anything, and before it has written to any result but the buffer of [Files.Read]. The caller then
// runs the operation once more, from its beginning, on a worker. So an operation is one synchronous
// function, whichever thread completes it.
//
// # Stable storage
//
// Where a method says that a change is on stable storage when it returns, a thread's caller may
// have it put off: see [Debts]. Then the change is there when the debt is paid.
//
// # Ownership
//
// Every argument is borrowed until the method returns: names, data and result structures belong to
// the caller. A View keeps none of them. A [Cred] is interned and immutable, so a View may keep it
// and compare its address.
//
// # Who is believed
//
// Front ends believe a View, and pass on to clients what it says. So package nfs wraps a back end
// that a caller has handed to it in package checkfs, which notices when the back end breaks one of
// these rules.
//
// # Permissions
//
// The back end lets the kernel decide with the caller's credential. Front ends map the credential
// first (squashing, package export) and never check mode bits.
package vfs
