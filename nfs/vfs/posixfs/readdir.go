package posixfs

import (
	"encoding/binary"
	"math"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// ReadDir implements vfs.View. A cookie is the kernel's own position (d_off) in
// the directory, which every file system that can be exported keeps valid while
// the directory changes and over restarts; finding the place again costs one
// block read from the cache, however large the directory is.
func (v *View) ReadDir(c *vfs.Cred, dir vfs.Handle, cookie, verf uint64, plus bool, d *vfs.Attr, yield func(*vfs.DirEntry) bool) (newVerf uint64, eof bool, s vfs.Status) {
	if v.lane {
		return 0, false, vfs.Again
	}
	d.Type = 0
	e, s := v.acquire(&dir, useMain)
	if s != vfs.OK {
		return 0, false, s
	}
	defer v.done()
	if s = v.stat(e, &v.st); s != vfs.OK {
		return 0, false, s
	}
	v.fs.fill(d, &v.st)
	if e.kind != unix.S_IFDIR {
		return 0, false, vfs.NotDir
	}
	newVerf = v.fs.dirVerf(&dir)
	if cookie != 0 && verf != newVerf || cookie > math.MaxInt64 {
		return newVerf, false, vfs.BadCookie
	}
	granted, s := v.may(c, e, &v.st, vfs.MayRead)
	if s != vfs.OK || granted == 0 {
		return newVerf, false, refused(s)
	}
	fd, s := v.openDir(e)
	if s != vfs.OK {
		return newVerf, false, s
	}
	defer closeFD(fd)
	if cookie != 0 {
		if at, errno := call(unix.SYS_LSEEK, uintptr(fd), uintptr(cookie), unix.SEEK_SET, 0, 0, 0); errno != 0 || uint64(at) != cookie {
			return newVerf, false, vfs.BadCookie
		}
	}
	if plus && !v.as(c) {
		return newVerf, false, vfs.ServerFault
	}
	eof, s = v.list(c, e, fd, plus, yield)
	return newVerf, eof, s
}

// dirVerf is the same for a directory as long as it exists, and another one for
// every other directory.
func (fs *FS) dirVerf(h *vfs.Handle) uint64 { return mix(hashHandle(h) ^ fs.fsid) }

// openDir opens a directory for reading from a position of its own.
func (v *View) openDir(e *entry) (int, vfs.Status) {
	if !v.as(nil) {
		return -1, vfs.ServerFault
	}
	const flags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC
	fd, errno := openat(e.fd, &dot[0], flags, 0)
	if lowOnFDs(errno) {
		v.fs.room(v.fs.tab.fdMax / 4)
		fd, errno = openat(e.fd, &dot[0], flags, 0)
	}
	if errno != 0 {
		return -1, status(errno)
	}
	return fd, vfs.OK
}

// The fields of struct linux_dirent64.
const (
	direntOff    = 8
	direntReclen = 16
	direntName   = 19
)

// dentsBytes is how much of a directory is read at a time.
const dentsBytes = 32 << 10

// list yields the entries from fd's position on.
func (v *View) list(c *vfs.Cred, de *entry, fd int, plus bool, yield func(*vfs.DirEntry) bool) (eof bool, s vfs.Status) {
	if v.dents == nil {
		v.dents = make([]byte, dentsBytes)
	}
	volume, top := v.fs.volume(&v.st), de.h == v.fs.rootH
	for {
		n, errno := call(unix.SYS_GETDENTS64, uintptr(fd), uintptr(unsafe.Pointer(&v.dents[0])), uintptr(len(v.dents)), 0, 0, 0)
		if errno != 0 {
			return false, status(errno)
		}
		if n == 0 {
			return true, vfs.OK
		}
		for b := v.dents[:n]; len(b) > 0; {
			size := binary.NativeEndian.Uint16(b[direntReclen:])
			name := b[direntName:size]
			x := &v.dent
			x.FileID = binary.NativeEndian.Uint64(b) ^ volume
			x.Cookie = binary.NativeEndian.Uint64(b[direntOff:])
			x.Name = cut(name)
			x.HasEntry = false
			b = b[size:]
			if x.Cookie == 0 { // would start all over again
				return false, vfs.IO
			}
			dotdot := string(x.Name) == ".."
			if dotdot && top {
				x.FileID = v.fs.rootKey.ino
			}
			if plus {
				v.look(c, de, &name[0], dotdot, x)
			}
			if !yield(x) {
				return false, vfs.OK
			}
		}
	}
}

// look fills x.Entry as far as the caller may see the object.
func (v *View) look(c *vfs.Cred, de *entry, name *byte, dotdot bool, x *vfs.DirEntry) {
	var s vfs.Status
	if dotdot {
		s = v.parent(c, de, &x.Entry)
	} else {
		s = v.child(de, name, &x.Entry, passing)
	}
	if v.use[useChild].Load() != nil {
		v.use[useChild].Store(nil)
	}
	if s != vfs.OK || !v.as(c) {
		return
	}
	x.HasEntry = true
	x.FileID = x.Entry.Attr.FileID
	if !dotdot && string(x.Name) != "." { // which is no place of the directory's in another
		v.fs.note(&x.Entry.Handle, &de.h, x.Name)
	}
}
