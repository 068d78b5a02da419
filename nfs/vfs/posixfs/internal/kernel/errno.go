package kernel

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// errnoMax bounds the table. Linux's own numbers end at 133.
const errnoMax = 134

// unknown marks errnos that have no meaning for a file system.
const unknown = vfs.NumStatus

// statuses maps errnos to statuses. An error that may not happen at the next try is IO here,
// because [Patience] has already tried often enough. If a caller knows that the condition ends by
// itself, as a lease does, the caller returns Delay itself. Errors of file systems on other
// machines and in other processes that cannot be reached are IO, too, because a client's program
// knows no other word for them.
var statuses = func() (t [errnoMax]vfs.Status) {
	for i := range t {
		t[i] = unknown
	}
	t[0] = vfs.OK
	for s, list := range map[vfs.Status][]unix.Errno{
		vfs.Perm:  {unix.EPERM},
		vfs.NoEnt: {unix.ENOENT},
		vfs.IO: {unix.EIO, unix.EUCLEAN, unix.EBADMSG, unix.EREMOTEIO, unix.ENOMEDIUM, unix.EMEDIUMTYPE, unix.EILSEQ, unix.ENODATA,
			unix.EINTR, unix.ENOMEM, unix.EAGAIN, unix.ENOBUFS, unix.ENOLCK, unix.EDEADLK, unix.ETIMEDOUT, unix.ETIME,
			unix.ENOTCONN, unix.ECONNABORTED, unix.ECONNRESET, unix.ECONNREFUSED, unix.ESHUTDOWN, unix.EPIPE, unix.EHOSTDOWN, unix.EHOSTUNREACH,
			unix.ENETDOWN, unix.ENETUNREACH, unix.ENETRESET, unix.ENONET, unix.ENOLINK, unix.ECOMM, unix.EPROTO, unix.EREMCHG, unix.ECANCELED},
		vfs.NXIO:        {unix.ENXIO, unix.ENODEV},
		vfs.Access:      {unix.EACCES, unix.EBUSY, unix.ETXTBSY, unix.ENOKEY, unix.EKEYREJECTED, unix.EKEYEXPIRED, unix.EKEYREVOKED},
		vfs.Exist:       {unix.EEXIST},
		vfs.XDev:        {unix.EXDEV},
		vfs.NotDir:      {unix.ENOTDIR},
		vfs.IsDir:       {unix.EISDIR},
		vfs.Inval:       {unix.EINVAL, unix.EDOM, unix.ERANGE},
		vfs.FBig:        {unix.EFBIG, unix.EOVERFLOW},
		vfs.NoSpc:       {unix.ENOSPC, unix.E2BIG}, // E2BIG: an ACL too long for the inode
		vfs.ROFS:        {unix.EROFS},
		vfs.MLink:       {unix.EMLINK},
		vfs.NameTooLong: {unix.ENAMETOOLONG},
		vfs.NotEmpty:    {unix.ENOTEMPTY},
		vfs.DQuot:       {unix.EDQUOT},
		vfs.Stale:       {unix.ESTALE},
		vfs.NotSupp:     {unix.EOPNOTSUPP, unix.ENOSYS, unix.ENOTTY},
		vfs.Delay:       {unix.EMFILE, unix.ENFILE},
		vfs.Loop:        {unix.ELOOP},
	} {
		for _, e := range list {
			t[e] = s
		}
	}
	return t
}()

// RefusedBy reports whether e is the answer of something that refuses a system call: a filter, a
// security module, or a kernel without the call.
func RefusedBy(e unix.Errno) bool { return e == unix.EPERM || e == unix.EACCES || e == unix.ENOSYS }

// StatusOf maps an errno to a status for the front ends. known is false for an errno that no file
// system should return.
func StatusOf(e unix.Errno) (s vfs.Status, known bool) {
	if e < errnoMax {
		if s = statuses[e]; s != unknown {
			return s, true
		}
	}
	return vfs.IO, false
}

// LowOnFDs reports whether e means that descriptors have run out.
func LowOnFDs(e unix.Errno) bool { return e == unix.EMFILE || e == unix.ENFILE }
