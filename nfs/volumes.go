package nfs

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
)

// volumes numbers the file systems of the exports. Its keys are devices, and the file systems that
// the caller handed over.
type volumes map[any]int

func (v volumes) add(key any) int {
	n, ok := v[key]
	if !ok {
		n = len(v) + 1
		v[key] = n
	}
	return n
}

// of returns the number of the file system that dir is on. The device of a stat does not always
// tell: subvolumes of btrfs have devices of their own, and share one disc.
func (v volumes) of(dir string) int {
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, dir, 0, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st); err != nil {
		return v.add(dir) // gone meanwhile
	}
	if device, ok := deviceOf(st.Mnt_id); ok {
		return v.add(device)
	}
	return v.add(unix.Mkdev(st.Dev_major, st.Dev_minor))
}

// deviceOf returns the device, as "major:minor", of the file system of a mount.
func deviceOf(mount uint64) (device string, ok bool) {
	line, _ := posixfs.MountLine(mount)
	if f := strings.SplitN(string(line), " ", 4); len(f) == 4 {
		return f[2], true
	}
	return "", false
}
