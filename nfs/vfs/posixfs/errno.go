package posixfs

import (
	"log/slog"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// errnoMax bounds the table; Linux's own numbers end at 133.
const errnoMax = 134

// unknown marks errnos that have no meaning for a file system.
const unknown = vfs.NumStatus

// statuses maps errnos to statuses. EAGAIN is Delay here (a lease that is being
// broken): a call that asked not to wait looks at EAGAIN before it comes here.
var statuses = func() (t [errnoMax]vfs.Status) {
	for i := range t {
		t[i] = unknown
	}
	t[0] = vfs.OK
	for s, list := range map[vfs.Status][]unix.Errno{
		vfs.Perm:        {unix.EPERM},
		vfs.NoEnt:       {unix.ENOENT},
		vfs.IO:          {unix.EIO, unix.EUCLEAN, unix.EBADMSG, unix.EREMOTEIO, unix.ENOMEDIUM, unix.EMEDIUMTYPE, unix.EILSEQ, unix.ENODATA},
		vfs.NXIO:        {unix.ENXIO, unix.ENODEV},
		vfs.Access:      {unix.EACCES, unix.EBUSY, unix.ETXTBSY, unix.ENOKEY, unix.EKEYREJECTED, unix.EKEYEXPIRED, unix.EKEYREVOKED},
		vfs.Exist:       {unix.EEXIST},
		vfs.XDev:        {unix.EXDEV},
		vfs.NotDir:      {unix.ENOTDIR},
		vfs.IsDir:       {unix.EISDIR},
		vfs.Inval:       {unix.EINVAL, unix.EDOM, unix.ERANGE},
		vfs.FBig:        {unix.EFBIG, unix.EOVERFLOW},
		vfs.NoSpc:       {unix.ENOSPC},
		vfs.ROFS:        {unix.EROFS},
		vfs.MLink:       {unix.EMLINK},
		vfs.NameTooLong: {unix.ENAMETOOLONG},
		vfs.NotEmpty:    {unix.ENOTEMPTY},
		vfs.DQuot:       {unix.EDQUOT},
		vfs.Stale:       {unix.ESTALE},
		vfs.NotSupp:     {unix.EOPNOTSUPP, unix.ENOSYS, unix.ENOTTY},
		vfs.Delay:       {unix.ENOMEM, unix.EMFILE, unix.ENFILE, unix.EAGAIN, unix.EINTR, unix.ETIMEDOUT, unix.ENOBUFS, unix.ENOLCK, unix.EDEADLK},
		vfs.Loop:        {unix.ELOOP},
	} {
		for _, e := range list {
			t[e] = s
		}
	}
	return t
}()

var reported sync.Map // errnos that status has logged

// status maps an errno to what the front ends understand.
func status(e unix.Errno) vfs.Status {
	if e < errnoMax {
		if s := statuses[e]; s != unknown {
			return s
		}
	}
	if _, seen := reported.LoadOrStore(e, true); !seen {
		slog.Warn("posixfs: the kernel returned an error that no file system should", "errno", int(e), "text", e.Error())
	}
	return vfs.ServerFault
}
