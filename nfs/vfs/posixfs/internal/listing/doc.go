// Package listing reads directories, a page at a time, and remembers pages.
//
// # Pages
//
// A [Page] holds the entries that one call of getdents64(2) has returned. A page is good while the
// directory has the ctime that it had before the page was read, because every change of the
// directory's names moves the ctime, whoever makes it. Each listing asks for the ctime anew. If
// ctimes are as coarse as the timer's tick, pages of a directory that has just changed must not be
// kept, because the next change could leave the same ctime. The caller that begins a listing says
// whether pages may be kept (Ask.Keep).
//
// While a page is good, its names lead to the objects that they led to when the page was read. If
// an object is found under a name after the page was read, that name still leads to the object. So
// a page keeps an object for each name ([Page.Kids]), and the attributes can be read through the
// object's descriptor: less than half the cost of resolving the name, and it cannot sleep. There
// are two exceptions. A mount on a name changes no ctime. Nor does the ctime tell when ".." changes
// its place.
//
// # Places
//
// A client continues a listing in a later call, at the place where the last reply ended. So a place
// in a directory (d_off) has to mean the same to every open of the directory. On some file systems
// it does not, or several entries have the same place ([Memory.Try]). There a listing reads the
// whole directory and makes an entry's place of its name. Then the order of the entries does not
// matter: a listing that continues after a place leaves no entry out and lists no entry twice.
//
// # Whose is what
//
// The [Memory] belongs to an FS; all threads use it. A [Reader] belongs to one thread, and goes
// through one directory at a time. To read a directory, it asks a [Source]. It finds a remembered
// page without a Source, without a lock, and without an allocation.
//
// The package knows nothing of permissions, attributes and handles of the entries. It keeps a value
// for an open object (E) and hands it back, and does not look into it.
package listing
