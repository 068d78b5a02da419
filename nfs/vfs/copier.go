package vfs

// Copier is the ability to copy between regular files of one file system, also of two exports, that
// is two Views on one thread. For other objects the status is Inval or IsDir, for files that have
// no file system in common XDev. Lanes get Again.
type Copier interface {
	// Clone makes a range of h the same as one of r.From by sharing its blocks, with the rights
	// that Read and Write ask for. Ranges begin and end at multiples of [Limits.CloneBlock], but
	// the range that is read may end at the end of its file, if the other one ends at or
	// beyond the end of h. Anything else is Inval, and so are ranges that overlap. The change is
	// on stable storage when Clone returns OK. w is filled in as in Write.
	Clone(c *Cred, h Handle, r *CopyArgs, w *WCC) Status
	// Copy copies bytes as Read and an unstable Write would, as many as are copied in bounded
	// time: n may be less than r.Len. It is 0 at or beyond the end of the file that is read. The
	// verifier is one that was in force when it began. Ranges that overlap are Inval.
	Copy(c *Cred, h Handle, r *CopyArgs, w *WCC) (n, verf uint64, s Status)
	// Lend opens h to be read with c's rights and calls use with what the kind of back end
	// knows it by, and the file's size, which is valid until use returns. It is for Copiers,
	// which know their own kind's. use returns Lend's status.
	Lend(c *Cred, h Handle, use func(from any, size uint64) Status) Status
}
