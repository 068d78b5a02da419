// Package vfs says what a file system is to the NFS front ends: interfaces,
// attributes, credentials and statuses. It holds no implementation.
//
// # Parts
//
// An [FS] is one exported tree. It is shared by all threads and lives from the
// start of the server to its end. A [View] is the same tree seen from one
// operating-system thread: a lane's or a worker's. A View is made on its thread
// by [FS.View], is used on that thread only, and may therefore keep caches and
// the thread's current credential without a lock.
//
// What not every back end can do is an ability: a small interface in [Abilities], which
// the View returns.
//
// # Who may block
//
// [Thread.MayWait] says it. On a worker a View may sleep in the kernel. On a
// lane it must not: an operation that cannot be answered from memory returns
// [Again] before it has changed anything or written to any of its results (but
// the buffer of [Files.Read]), and the caller runs it once more, from its
// beginning, on a worker. So an
// operation is one synchronous function, whichever thread it ends up on.
//
// # Ownership
//
// Every argument is borrowed until the method returns: names, data and result
// structures belong to the caller. A View keeps none of them. A [Cred] is
// interned and immutable, and may be kept and compared by its address.
//
// # Who is believed
//
// Front ends believe a View: what it says is what clients get. Package nfs
// therefore wraps a back end that was handed to it in package checkfs, which notices
// when it breaks one of these rules.
//
// # Permissions
//
// The back end lets the kernel decide with the caller's credential. Front ends
// map the credential first (squashing, package export) and never check mode
// bits themselves.
package vfs
