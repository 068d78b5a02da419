// Package listing reads directories, a page at a time, and remembers pages.
//
// # Pages
//
// What getdents64(2) has returned is kept as a [Page]. A page is good for as long as the
// directory has the ctime that it had before the page was read: every change of its names
// moves the ctime, whoever makes it. Each listing asks for the ctime anew. Where ctimes are as
// coarse as the timer's tick, pages of a directory that has just changed must not be kept:
// the next change could leave the same ctime. Who begins a listing says so (Ask.Keep).
//
// As long as a page is good its names lead to the objects that they led to when the page was
// read. If an object was found under a name after the page was read, that name still leads to
// it. So a page keeps an object for each name ([Page.Kids]), and the object can be asked for
// its attributes by its descriptor: less than half the cost of resolving the name, and it
// cannot sleep. (Not so where something may be mounted on a name: that changes no ctime. Nor
// for "..", whose place the ctime does not tell of.)
//
// # Places
//
// A client goes on with a listing where the last reply ended, in a later call. So a place in
// a directory (d_off) has to mean the same to every open. Where it does not, or is the same
// for several entries ([Memory.Try]), the whole directory is read for a listing, and an
// entry's place is made of its name: whatever order the entries come in, a listing that goes
// on after a place leaves nothing out and says nothing twice.
//
// # Whose is what
//
// The [Memory] belongs to an FS; all threads use it. A [Reader] belongs to one thread, and is
// on its way through one directory at a time. What it needs when a directory has to be read
// it asks a [Source] for. A page that is remembered is found without one, without a lock, and
// without an allocation.
//
// The package knows nothing of permissions, attributes and handles of the entries. What stands
// for an object that is open (E) it keeps and hands back, and does not look into it.
package listing
