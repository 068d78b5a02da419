// Package ranges holds the byte-range locks of one file: which owner has which bytes locked,
// for reading or for writing. It serves LOCK, LOCKT and LOCKU of NFS version 4 (RFC 8881,
// sections 9 and 18.10 to 18.12; RFC 7530, sections 9 and 16.10 to 16.12) and the lock protocol
// of version 3. It makes no system call, has no clock, starts no goroutine, and imports nothing
// of ours.
//
// # What a table holds
//
// A [Table] is a set of locks, sorted by their first byte. Each has a [Range], an [Owner] and a
// [Kind]. The locks follow POSIX:
//
//   - Two owners may read the same byte. A byte that one owner has locked for writing is locked
//     by nobody else.
//   - A new lock replaces what its owner held in its range: it upgrades, downgrades, splits and
//     joins the owner's former locks. It never conflicts with them.
//   - Any part of what is held can be unlocked. To unlock what is not held succeeds.
//   - Locks of one owner do not overlap, and those of one kind do not touch: they are one lock.
//
// Offsets have 64 bits, and the last byte of a range is part of it, so that the range of all
// bytes, [All], needs no special case.
//
// An Owner is a number that the caller chooses. The table compares owners and does nothing else
// with them: names, leases, stateids, reclaiming and waiting are the caller's. So is the bound
// of the number of locks. [Plan.Grow] says before a change by how many it adds to [Table.Len];
// unlocking the middle of a lock adds one, too.
//
// # A change has two steps
//
// [Table.Plan] judges a change and works out what it does. It changes nothing. [Table.Commit]
// makes the change. A plan that nobody commits is simply dropped. Between the two the caller
// tells the kernel, so that programs on the server's machine see the locks as well.
//
// # The kernel's lock
//
// The kernel gets one open-file-description lock per file, whose owner stands for all of ours.
// On each byte it has the greatest kind that any owner of the table has there ([Table.Levels]).
// Against programs of the machine that is enough: the table judges our owners among themselves.
//
// A lock that is granted has one kind on all of its range, and no other owner has a greater one
// there. So one F_OFD_SETLK over the bytes that change sets the greatest kind everywhere. The
// kernel grants it as a whole or not at all: there is nothing to undo when it refuses.
//
// To lock:
//
//  1. Plan. On a conflict, answer NFS4ERR_DENIED with the lock that Plan returns.
//  2. Set the range of Plan.Mirror, if there is one, to Plan.Kind in the kernel. If the kernel
//     refuses, ask it by F_OFD_GETLK who is in the way, answer NFS4ERR_DENIED, and drop the plan.
//  3. Commit.
//
// To unlock, and to release all that an owner holds (its range is All):
//
//  1. Plan.
//  2. Commit.
//  3. Unlock each range of Plan.Mirror in the kernel. If the kernel has no memory to split a
//     lock, it keeps more locked than Levels says; the caller may try again from Levels.
//
// Mirror leaves out what the kernel has already. Its ranges have 64 bits; [Range.Kernel] clamps
// them to the offsets that the kernel knows, and what lies beyond is in the table only. A caller
// whose descriptor cannot write keeps locks for writing from the kernel; a new descriptor gets
// what Levels says.
//
// # Who waits
//
// Waiters are the caller's. After a change, [Plan.Freed] is the range in which its owner holds
// less than before. Only a waiter whose range overlaps it can have become free, and
// [Table.Conflict] says whether it has.
//
// # Concurrency and cost
//
// Nothing blocks. A Table and a Plan have no lock of their own. The caller holds the file's from
// Plan to Commit, over the system call between them. Lookups of a table may run at once while
// nobody commits.
//
// With n locks in the file, k of which begin in the range or reach into it, Conflict and Plan take
// O(log n + k). A lock that lies across many others, as a reader of the whole file does, makes
// them look at all that begin between its first byte and the range's end: O(n) at worst. Commit
// moves the locks behind the range, so it is O(n) with a small constant. A lock takes 40 bytes.
// Nothing is allocated but room for more locks than the table has had before; a table that
// shrinks gives memory back.
package ranges
