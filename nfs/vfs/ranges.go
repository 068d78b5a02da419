package vfs

// Ranges is the ability to say which parts of a regular file take space on the disc. For other
// objects the status is Inval or IsDir. Lanes get Again where it might sleep.
type Ranges interface {
	// Allocate takes the space for a range, with c's rights as in Write: writing there will not
	// fail for want of space. What the range holds stays. A file that ends before the range
	// grows to its end. The change is on stable storage when Allocate returns OK. w is filled in
	// as in Write. A range that ends beyond the largest file is FBig.
	Allocate(c *Cred, h Handle, r *RangeArgs, w *WCC) Status
	// Deallocate makes zeroes of a range and gives its space back as far as blocks allow. The
	// size stays. It is otherwise as Allocate; a range may reach beyond the end.
	Deallocate(c *Cred, h Handle, r *RangeArgs, w *WCC) Status
	// Seek returns where the first data, or hole, at or after r.Off begins. Behind the end of
	// the file is a hole, so a hole may be found at the end. NXIO says that r.Off is at or
	// beyond the end, or that no data follows it. It needs the right to read, as Read does. a
	// is filled as in Read.
	Seek(c *Cred, h Handle, r *SeekArgs, a *Attr) (at uint64, s Status)
	// WillNeed says that a range will be read soon. It reads nothing that it would have to wait
	// for, and needs the right to read. r.Len may be 0, which is to the end.
	WillNeed(c *Cred, h Handle, r *RangeArgs) Status
}
