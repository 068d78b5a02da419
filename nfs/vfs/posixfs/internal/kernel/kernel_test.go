package kernel

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestEveryErrnoOfAFileSystemHasAStatus(t *testing.T) {
	for e := unix.Errno(0); e < errnoMax; e++ {
		if s := statuses[e]; s != unknown {
			require.Less(t, s, vfs.NumStatus)
			require.NotEqual(t, vfs.Again, s, e)
			require.Equal(t, e == 0, s == vfs.OK, e)
		}
	}
	for e, want := range map[unix.Errno]vfs.Status{
		unix.EPERM: vfs.Perm, unix.ENOENT: vfs.NoEnt, unix.EIO: vfs.IO, unix.ENXIO: vfs.NXIO, unix.EACCES: vfs.Access, unix.EEXIST: vfs.Exist,
		unix.EXDEV: vfs.XDev, unix.ENODEV: vfs.NXIO, unix.ENOTDIR: vfs.NotDir, unix.EISDIR: vfs.IsDir, unix.EINVAL: vfs.Inval, unix.EFBIG: vfs.FBig,
		unix.ENOSPC: vfs.NoSpc, unix.EROFS: vfs.ROFS, unix.EMLINK: vfs.MLink, unix.ENAMETOOLONG: vfs.NameTooLong, unix.ENOTEMPTY: vfs.NotEmpty,
		unix.EDQUOT: vfs.DQuot, unix.ESTALE: vfs.Stale, unix.EOPNOTSUPP: vfs.NotSupp, unix.ENOSYS: vfs.NotSupp, unix.ELOOP: vfs.Loop,
		unix.EUCLEAN: vfs.IO, unix.ENOMEM: vfs.IO, unix.EMFILE: vfs.Delay, unix.ENFILE: vfs.Delay,
		unix.EINTR: vfs.IO, unix.EAGAIN: vfs.IO, unix.ETIMEDOUT: vfs.IO, unix.ENOLCK: vfs.IO, unix.EDEADLK: vfs.IO, unix.ENOBUFS: vfs.IO,
		unix.ENOTCONN: vfs.IO, unix.ECONNABORTED: vfs.IO, unix.EHOSTDOWN: vfs.IO, unix.EILSEQ: vfs.IO,
		unix.EBADF: vfs.IO, unix.EFAULT: vfs.IO, unix.Errno(4000): vfs.IO,
	} {
		got, _ := StatusOf(e)
		require.Equal(t, want, got, e.Error())
	}
}

func TestMapsOfUserNamespaces(t *testing.T) {
	for text, want := range map[string]vfs.IDs{
		"         0          0 4294967295\n": nil,
		"0 100000 1\n1 200000 4294967294\n":  nil,
		"         0       1000          1\n": {{First: 0, Count: 1}},
		"0 100000 65536\n100000 300000 10\n": {{First: 0, Count: 65536}, {First: 100000, Count: 10}},
		"":                                   {},
	} {
		got, err := parseMap(text)
		require.NoError(t, err)
		require.Equal(t, want, got, "%q", text)
	}
	_, err := parseMap("0 1000\n")
	require.ErrorContains(t, err, "0 1000")
}

func TestWhomToTryIsMappedAndNotRoot(t *testing.T) {
	n := Namespace{}
	c, ok := n.Other()
	require.True(t, ok)
	require.Equal(t, &vfs.Cred{UID: 65534, GID: 65534, Groups: []uint32{65533}}, c)
	n = Namespace{
		Users:  vfs.IDs{{First: 0, Count: 1000}},
		Groups: vfs.IDs{{First: 0, Count: 1}, {First: 7, Count: 1}},
	}
	c, ok = n.Other()
	require.True(t, ok)
	require.Equal(t, &vfs.Cred{UID: 999, GID: 7, Groups: []uint32{7}}, c)
	n = Namespace{Users: vfs.IDs{{First: 0, Count: 1}}, Groups: vfs.IDs{{First: 0, Count: 1}}}
	_, ok = n.Other()
	require.False(t, ok)
}
