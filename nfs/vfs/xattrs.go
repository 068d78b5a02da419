package vfs

// Bounds of extended attributes, which are Linux's own.
const (
	// XattrNameMax is the longest name in bytes, without the "user." that Linux has before it.
	XattrNameMax = 250
	// XattrValueMax is the longest value in bytes.
	XattrValueMax = 64 << 10
)

// XattrHow is what becomes of an extended attribute that exists (RFC 8276, setxattr_option4).
type XattrHow uint32

// What a new value may take the place of.
const (
	XattrEither  XattrHow = iota // whatever there is
	XattrCreate                  // nothing: else Exist
	XattrReplace                 // a value: else NoXattr
)

// Xattrs is the ability to keep extended attributes of users: small values with names, of regular
// files and directories. A name has 1 to XattrNameMax bytes without NUL; callers have checked it.
// The status is NotSupp where the file system has none. For other objects there are none, and to
// set one is Perm or NotSupp. The methods need the rights that the kernel asks for: to read and to
// write the content. Lanes get Again where it might sleep.
type Xattrs interface {
	// GetXattr copies a value to dst and returns its length, also with TooSmall, which says
	// that dst is too short. NoXattr says that there is none of the name.
	GetXattr(c *Cred, h Handle, name, dst []byte) (n int, s Status)
	// SetXattr sets a value. XattrTooBig says that the file system takes none of its length,
	// NoSpc that there is no room for it. The change is on stable storage when SetXattr
	// returns OK. w is filled in as in Write.
	SetXattr(c *Cred, h Handle, r *XattrArgs, w *WCC) Status
	// ListXattrs calls yield for each name, in ascending order, until it returns false. It
	// borrows the name until yield returns.
	ListXattrs(c *Cred, h Handle, yield func(name []byte) bool) Status
	// RemoveXattr removes one, as SetXattr sets it; NoXattr if there is none of the name.
	RemoveXattr(c *Cred, h Handle, name []byte, w *WCC) Status
}
