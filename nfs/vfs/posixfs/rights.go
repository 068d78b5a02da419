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

// as makes the thread act for c, nil meaning the process itself. It is free when
// the thread does so already. With false the thread must not go on: it may have
// other rights than it should.
func (v *View) as(c *vfs.Cred) bool {
	if checks.Enabled { // so that the compiler inlines as without the tag
		v.owner.check()
	}
	return v.rights.Acting() == c || !v.fs.is.switching || v.rights.As(c, v.fs.own)
}

// checkRights looks at the capabilities by which the FS acts as itself for users: it
// opens their files, whose rights it has asked the kernel for, before it serves them.
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

// tryThread prepares a thread as it is done for each View, so that what is refused is
// known before anything is served.
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

// IDs returns the users and groups that callers can act as; nil for both when those
// are all, or when every caller acts as the process.
func (fs *FS) IDs() (users, groups vfs.IDs) {
	if !fs.is.switching {
		return nil, nil
	}
	return fs.ns.Users, fs.ns.Groups
}
