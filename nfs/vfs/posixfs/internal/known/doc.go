// Package known remembers the handles of objects that nobody has open.
//
// A listing with handles asks the kernel about every name once, for the attributes, and
// would have to ask three times more for the handle. A handle, unlike attributes, hardly ever
// changes. So [Handles] keeps it: not for a name, but for the object that statx has just found
// under the name.
//
// # Which object it is
//
// What tells objects apart is their key (kernel.ObjectKey): the inode's number and birth
// time. Nothing keeps the inode alive, and the kernel may give its number to a new file at
// once. So the key of a new object must differ for sure.
//
// Birth times come from the kernel's clock, which moves in ticks of 1 to 10 ms. Suppose that
// an object was seen more than 50 ms (grain) after its birth. Every object that gets its
// number later is born after that look, so it has another birth time: the older object has a
// key of its own ([Moment.Own]). Only objects of that age are kept, only of file systems that
// store birth times as the kernel gives them ([KeepsBirth]), and all are forgotten when the
// clock is set back. The ctime is compared too: an ioctl can change the generation of a living
// inode, which is a part of its handle.
//
// # Whose is what
//
// Handles belong to an FS; all threads use them without a lock, but to forget everything. A
// [Moment] belongs to one thread's operation. The package makes no system call but to read
// the clock, and knows nothing of directories, callers and rights.
package known
