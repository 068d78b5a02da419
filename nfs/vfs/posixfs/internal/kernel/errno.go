package kernel

import (
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// errnoMax bounds the table; Linux's own numbers end at 133.
const errnoMax = 134

// unknown marks errnos that have no meaning for a file system.
const unknown = vfs.NumStatus

// statuses maps errnos to statuses. What may go well another time is IO here: it was
// tried often enough before it comes here (see patience), and who knows of an end of its
// own, as a lease has one, says Delay by itself. So are the errors of file systems of other machines and
// processes that cannot be reached, of which a client's program has no other word.
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
		vfs.NoSpc:       {unix.ENOSPC, unix.E2BIG}, // an access control list that is too long for the inode
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

// RefusedBy reports whether errno is what somebody says who refuses a system call: a
// filter, a security module, or a kernel that does not have it.
func RefusedBy(e unix.Errno) bool { return e == unix.EPERM || e == unix.EACCES || e == unix.ENOSYS }

// StatusOf maps an errno to what the front ends understand. known is false for one that
// no file system should return.
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
