// Package table keeps the objects that an FS has open, and their descriptors. It closes no
// descriptor itself: it tells the caller which entries to close, once nobody uses them.
//
// # Life of an entry
//
// An [Entry] is one object. It begins with one descriptor. [Table.Add] puts it into the [Table].
// Callers open further descriptors when they need them. An entry is retired once, for good: because
// its object is gone, because it was idle ([Table.Sweep], [Table.Rest]), or because descriptors are
// short ([Table.Evict]), but not while somebody has pinned it ([Table.Pin]). Nobody finds a retired
// entry any more. When no thread uses it, [Table.Reap] hands it out for closing; [Table.Release],
// [Table.Evict] and [Table.Spare] do so at once. When it has been closed, [Table.Gone] forgets it.
//
// # Who uses what
//
// A thread publishes the entries that it uses in its [Uses], the hazard slots. [Uses.Hold]
// publishes the entry first and then checks whether it is dead. Whoever closes an entry retires it
// first, and then checks whether somebody uses it. So an entry that Hold found alive is not closed
// before [Uses.Done].
//
// An entry remembers which threads have ever held it, and only their slots are looked at. So it
// costs the same to retire one of many entries as one of few, with many threads as with few. A
// thread that is idle, or stuck in a call, keeps no other entry open than those in its slots.
//
// # Owners and locks
//
// The table owns the entries and counts their descriptors. A caller that opens one more descriptor
// says so ([Table.Opened]). A caller that closes an entry which Reap has handed out closes all its
// descriptors, and says so ([Table.Closed]). One mutex guards the table. A method holds it for one
// batch of entries at most, and never while it waits for a file system. The exception is Rest,
// which opens another descriptor of an object that is open already.
//
// Other rooms keep their state of an entry in its Own. The table knows nothing of Own.
package table
