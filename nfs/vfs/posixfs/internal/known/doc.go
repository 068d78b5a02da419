// Package known remembers the handles of objects that nobody has open.
//
// A listing with handles asks the kernel once for the attributes of every name. For the handle it
// would have to make three more calls. A handle, unlike attributes, hardly ever changes. So
// [Handles] keeps the handle: not for a name, but for the object that statx has just found under
// the name.
//
// # Which object it is
//
// Objects are told apart by their key (kernel.ObjectKey): the inode's number and birth time.
// Nothing keeps the inode alive, and the kernel may give its number to a new file at once. So the
// key of a new object must certainly differ.
//
// Birth times come from the kernel's clock, which moves in ticks of 1 to 10 ms. Suppose that an
// operation saw an object more than 50 ms (grain) after its birth. Every object that gets the
// number later is born after that moment, so it has another birth time. The older object therefore
// has a key of its own ([Moment.Own]). Handles keeps only objects of that age, and only on file
// systems that store birth times as the kernel gives them ([KeepsBirth]). It forgets everything
// when somebody sets the clock back. It compares the ctime, too: an ioctl can change the generation
// of a living inode, which is a part of the object's handle.
//
// # Whose is what
//
// Handles belong to an FS. All threads use them without a lock, except to forget everything. A
// [Moment] belongs to one thread's operation. The package makes no system call except to read the
// clock, and knows nothing of directories, callers and rights.
package known
