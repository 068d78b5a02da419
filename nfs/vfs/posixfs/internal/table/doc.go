// Package table keeps the objects that an FS has open, their descriptors, and closes them
// when nobody uses them.
//
// # Life of an entry
//
// An [Entry] is one object. It begins with one descriptor, is put into the [Table] by
// [Table.Add], and gets further descriptors as they are wanted. It is retired for good,
// once: because its object is gone, because it was idle ([Table.Sweep], [Table.Rest]) or
// because descriptors are short ([Table.Evict]). A retired entry is found no more. It is
// handed out for closing by [Table.Reap] when no thread uses it, and forgotten by
// [Table.Gone] when it has been closed.
//
// # Who uses what
//
// A thread publishes what it uses in its [Uses], the hazard slots: [Uses.Hold] publishes
// first and looks then whether the entry is dead, Reap looks for retired entries and then
// for uses. So an entry that was held alive is not closed before [Uses.Done].
//
// # Owners and locks
//
// The table owns the entries and counts their descriptors. Who opens one more says so
// ([Table.Opened]); who closes an entry that Reap has handed out closes them all and says
// so ([Table.Closed]). One mutex guards the table. It is held for a batch of entries at
// most, and never while a file system is waited for, but for the opening of a descriptor
// that is open already (Rest).
//
// What other rooms keep with an entry is its Own, of which the table knows nothing.
package table
