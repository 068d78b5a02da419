package posixfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/syscalls"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/checks"
)

// as makes the thread act for c; nil means the process itself. It costs nothing if the thread
// already does so. If it returns false the thread must not go on, because it may have rights that
// it should not have.
func (v *View) as(c *vfs.Cred) bool {
	if checks.Enabled { // this test lets the compiler inline as without the tag
		v.owner.check()
	}
	return v.rights.Acting() == c || !v.fs.is.switching || v.rights.As(c, v.fs.own)
}

// checkRights checks the capabilities with which the FS acts as the process for users. After it has
// asked the kernel for a user's rights on a file, it opens the file as the process.
func (fs *FS) checkRights() error {
	if !fs.is.switching {
		return nil
	}
	caps, err := kernel.Capabilities()
	if err != nil {
		return fmt.Errorf(
			"posixfs: capget, to see whether users' files can be opened: %w; %s",
			err,
			syscalls.Remedy(err == unix.ENOSYS),
		)
	}
	if caps[0].Effective&(1<<unix.CAP_DAC_OVERRIDE) == 0 {
		return errors.New(
			"posixfs: running as root without CAP_DAC_OVERRIDE: the files of other users could not be " +
				"opened for them; " +
				"give the process CAP_DAC_OVERRIDE as well (a container: --cap-add DAC_OVERRIDE), or run it " +
				"as an ordinary user",
		)
	}
	fs.is.disowned = caps[0].Effective&(1<<unix.CAP_FOWNER) == 0
	return nil
}

// tryThread prepares a thread as View prepares each one. So the FS learns of refused calls before
// it serves anything.
func (fs *FS) tryThread() error {
	return kernel.OnThread(func() error {
		if _, _, e := unix.RawSyscall(unix.SYS_UNSHARE, unix.CLONE_FS, 0, 0); e != 0 {
			fs.threadWhy = append(
				fs.threadWhy,
				fmt.Sprintf(
					"the system call unshare is refused (%v): the umask of the whole process is set to 0",
					e,
				),
			)
		}
		return new(kernel.Rights).Prepare(fs.is.switching)
	})
}

// IDs returns the users and groups as which callers can act. Both are nil if these are all, or if
// every caller acts as the process.
func (fs *FS) IDs() (users, groups vfs.IDs) {
	if !fs.is.switching {
		return nil, nil
	}
	return fs.ns.Users, fs.ns.Groups
}
