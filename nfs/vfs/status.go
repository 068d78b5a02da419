package vfs

// Status is the outcome of a file-system operation. It is a small integer, not an error, and costs
// nothing to return. Every front end maps it to its protocol's codes by a table, which a test
// proves total. OK is zero.
type Status uint8

// Outcomes. The comment names the errno that a POSIX back end maps to the status.
const (
	OK          Status = iota
	Perm               // EPERM: not the owner
	NoEnt              // ENOENT
	IO                 // EIO
	NXIO               // ENXIO, ENODEV
	Access             // EACCES
	Exist              // EEXIST
	XDev               // EXDEV
	NotDir             // ENOTDIR
	IsDir              // EISDIR
	Inval              // EINVAL
	FBig               // EFBIG
	NoSpc              // ENOSPC
	ROFS               // EROFS
	MLink              // EMLINK
	NameTooLong        // ENAMETOOLONG
	NotEmpty           // ENOTEMPTY
	DQuot              // EDQUOT
	Stale              // ESTALE: the handle's object is gone
	BadHandle          // the handle cannot have been given out by this back end
	BadCookie          // the directory cookie or its verifier is not one of this directory's
	NotSupp            // EOPNOTSUPP, ENOSYS
	TooSmall           // the caller's buffer cannot hold even one entry
	BadType            // the object type is not supported
	NotSync            // SETATTR's guard did not match (RFC 1813, section 3.3.2)
	Delay              // out of memory or descriptors for now: the client should try again
	Loop               // ELOOP: a symbolic link where none may be followed
	NoXattr            // ENODATA: there is no extended attribute of that name
	XattrTooBig        // E2BIG, ERANGE: the value of an extended attribute is too long
	ServerFault        // anything else
	Again              // the answer is not in memory and this thread may not wait: use a worker
	NumStatus          // the number of statuses, for tables
)

var statusNames = [NumStatus]string{
	OK: "ok", Perm: "not owner", NoEnt: "no such entry", IO: "input/output error",
	NXIO: "no such device", Access: "permission denied", Exist: "exists",
	XDev: "cross-device", NotDir: "not a directory", IsDir: "is a directory",
	Inval: "invalid argument", FBig: "file too large", NoSpc: "no space",
	ROFS: "read-only", MLink: "too many links", NameTooLong: "name too long",
	NotEmpty: "not empty", DQuot: "over quota", Stale: "stale handle",
	BadHandle: "bad handle", BadCookie: "bad cookie", NotSupp: "not supported",
	TooSmall: "buffer too small", BadType: "bad type", NotSync: "guard mismatch",
	Delay: "try later", Loop: "symbolic link loop", NoXattr: "no such attribute",
	XattrTooBig: "attribute too long", ServerFault: "server fault",
	Again: "would wait",
}

// String returns a short English name, for logs and test failures.
func (s Status) String() string {
	if s < NumStatus {
		return statusNames[s]
	}
	return "unknown status"
}
