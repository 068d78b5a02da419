// Package files holds what NFSv4 clients hold of files: opens with their share reservations, open
// owners and lock owners, byte-range locks, and the stateids of all of these (RFC 8881 sections 8.2
// and 9; RFC 7530 sections 9.1 and 9.4 to 9.9).
//
// It makes no system call, starts no goroutine and knows no message. [Config] hands in the clock,
// randomness, the kernel's locks and the limits. Clients are numbers, and their leases are somebody
// else's: [Table.AddClient] says that there is one, [Table.DropClient] and [Table.Revoke] that its
// state is over. What a file is, is a number of an export and a back end's handle.
//
// # Stateids
//
// A stateid holds a place in an array, 52 random bits and 12 bits of the server's epoch.
// [Table.Check], which READ and WRITE ask, is some loads and comparisons: it takes no lock, changes
// nothing and allocates nothing. In version 4.1 a stateid also belongs to the client that shows it;
// in 4.0 who guesses one has it, hence the random bits.
//
// A stateid of another epoch is STALE_STATEID in version 4.0 only. A state that was taken from
// its client keeps its place and answers ADMIN_REVOKED until it is freed, or EXPIRED for a lease
// time. What a client of 4.0 held when it ended, in whatever way, answers EXPIRED as well: it has
// no session that could tell it. All that goes early if the room is needed.
//
// # Opens
//
// An owner has one open of a file. A further OPEN unites its ways and denials with those that the
// owner has, and makes the seqid one more. OPEN_DOWNGRADE goes back to a union of what some of the
// OPENs have asked for, so the pairs that were asked for are remembered: there are twelve, a bit
// for each. How many OPENs there were does not matter, since one CLOSE ends all of them.
//
// A file counts, for each way, the opens that use and that deny it. So an OPEN is judged without a
// look at the others, unless it is refused; then those in the way are asked for courteous clients.
// Who has opened for writing only may read, unless somebody denies reading.
//
// CLOSE releases the locks that were got with the open, in all versions. RFC 7530 section 16.2
// and RFC 8881 section 18.2 leave it to the server to do that or to answer LOCKS_HELD. A
// process that ends closes its files and has nobody left who could unlock them.
//
// # Locks
//
// Package ranges judges the locks of a file. The lock stateid's place in the array is what it
// knows an owner by, so the owner in a denial is found at once. There is one lock stateid for a
// lock owner and a file, whichever of the client's opens it was got with first; it ends with that
// open. [Mirror] shows locks to the server's machine: its lock is raised before a lock is granted
// and lowered after one is released. Deadlocks are not detected; a client breaks them by giving
// up.
//
// Nobody waits in here. Who asks for a lock with Wait and is denied is remembered, for a lease
// time after it last asked. When bytes become free, the first of those who can have them are told
// by Config.Notify, and the lock is kept for them for some seconds, against others who would
// wait, too, but not against those who only try: whoever tries a free lock gets it. Versions
// without callbacks find the lock when they ask again. Config.Notify is a function, rather than a
// result of LOCKU, since locks become free in many ways: by CLOSE, by a downgrade, by the end of
// a client.
//
// # Version 4.0
//
// Operations of an owner are numbered and run one at a time; a [Turn] is one of them. BeginOpen or
// BeginState judges the number before anything else is looked at, even the stateid's own seqid. An
// operation that comes again gets the bytes of its first reply, whatever has become of the state
// since. A CLOSE keeps its stateid as a tomb until the owner's next operation, so that it is found
// when it comes again; no other stateid counts as one that was closed. An owner's first OPEN is not
// worth anything before OPEN_CONFIRM.
//
// # How operations call
//
// READ and the like ask [Stateid.Special], then [Table.CheckSpecial] or [Table.Check]. What is
// current in a COMPOUND is put in the place of [Current] before. OPEN finds or makes the file,
// calls [Table.Open], truncates, and calls [Table.Undo] if that fails. In version 4.0 an
// operation of an owner begins before it touches anything:
//
//	switch t.BeginOpen(&turn, client, owner, op, seqid) { // BeginState for all but OPEN
//	case Again: // write turn.Status and turn.Reply; turn.File becomes the current file handle
//	case Refuse: // write turn.Status
//	case Busy: // the first copy still runs: drop this one, or write Resource
//	case Go: // run; write status and result; then t.End(&turn, status, file, result)
//	}
//
// End has to be called whatever happens in between. LOCK by a new owner begins with the open's
// stateid and number; the lock owner's own number is in [LockArgs].
//
// # Files that lose their names
//
// Config.Opened and Config.Closed tell when a file's first open begins and its last one ends. Who
// removes the last name of a file calls [Table.Pin], makes sure that the object stays, unlinks, and
// calls [Table.Unpin]. So the end of the last open cannot pass unnoticed in between.
//
// # Concurrency
//
// All methods may be called from any goroutine. None waits for anything but locks and the system
// calls of Mirror. Locks, in their order:
//
//	file.mu         opens, denials, byte ranges and waiters of a file; held over calls of Mirror
//	  client.mu     owners, their sequences and lists of states, counts
//	    shard.mu, clientShard.mu, Table.mu, Index.mu, Minter.mu, waiting.mu
//
// One file and one client are locked at a time. No lock is held over other calls than those of
// Mirror and Config.Hold. Objects are not counted: who has a *state may go on looking at it after
// its end, and who is to change it locks its file and looks whether it is gone.
//
// # Bounds and memory
//
// States, owners, ranges and waiters are bounded for each client, ranges and waiters for each
// file, and states and bytes in all. Who meets a bound of all gets room by forgetting clients
// that have expired, then by Config.Relieve; else the answer is RESOURCE in version 4.0 and DELAY
// in later ones. When more than a half of these is taken, no client gets more than its equal
// share.
//
// An open takes 96 bytes, its place 8, and a file of its own 112 and some 12 for its bucket: a
// million opens take 240 MB. A range takes 40. An owner takes some 130 and its name, one of 4.0
// some 180 more and its last reply.
package files
