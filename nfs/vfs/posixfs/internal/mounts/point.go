package mounts

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// Point is the place where an exported directory was found. One goroutine at a time uses it.
type Point struct {
	visible int             // a descriptor of the directory as everybody sees it, or -1
	path    string          // of the directory, without symbolic links
	here    spot            // of visible; while that is open, no other mount gets the number
	listed  bool            // in the mount table, which lists nothing from outside a chroot
	above   map[string]spot // the spots of the directories above
}

// None is a Point that has found nothing yet.
func None() Point { return Point{visible: -1} }

// spot is a directory together with the mount on which it lies.
type spot struct {
	mount, ino   uint64 // STATX_MNT_ID and inode number
	major, minor uint32
}

func spotOf(st *unix.Statx_t) spot {
	return spot{mount: st.Mnt_id, ino: st.Ino, major: st.Dev_major, minor: st.Dev_minor}
}

// leadsTo reports whether a path that led to p and now leads to q still leads to the same place.
// Another mount of the same directory is the same place.
func (p spot) leadsTo(q spot) bool {
	return p.mount == q.mount || p.ino == q.ino && p.major == q.major && p.minor == q.minor
}

// Find notes the place of visible, a descriptor of the directory dir. The Point owns visible from
// then on, whatever Find returns. While visible is open, umount(8) says that the mount is busy.
func (p *Point) Find(dir string, visible int) error {
	p.visible = visible
	st, err := statxPath(visible, "")
	if err != nil {
		return fmt.Errorf("posixfs: attributes of %s: %w", dir, err)
	}
	path, err := os.Readlink(kernel.ProcPath(visible))
	if err != nil {
		return fmt.Errorf("posixfs: the path of %s: %w", dir, err)
	}
	if there, err := statxPath(unix.AT_FDCWD, path); err != nil || there.Mnt_id != st.Mnt_id ||
		there.Ino != st.Ino {
		if path, err = filepath.Abs(dir); err != nil { // removed, or /proc sees other paths
			return fmt.Errorf("posixfs: %w", err)
		}
	}
	*p = Point{
		visible: visible,
		path:    path,
		here:    spotOf(&st),
		listed:  mounted(st.Mnt_id),
		above:   make(map[string]spot),
	}
	for up := path; up != "/"; {
		up = filepath.Dir(up)
		if st, err := statxPath(unix.AT_FDCWD, up); err == nil {
			p.above[up] = spotOf(&st)
		}
	}
	return nil
}

// Path returns the directory's path without symbolic links.
func (p *Point) Path() string { return p.path }

// Mount returns the STATX_MNT_ID of the directory's mount.
func (p *Point) Mount() uint64 { return p.here.mount }

// Mounted reports whether the directory's mount is in the process's tree of mounts.
func (p *Point) Mounted() bool { return mounted(p.here.mount) }

// Visible returns the descriptor of the directory as everybody sees it. The Point owns it.
func (p *Point) Visible() int { return p.visible }

// Close closes the descriptor.
func (p *Point) Close() error {
	fd := p.visible
	if p.visible = -1; fd < 0 {
		return nil
	}
	return unix.Close(fd)
}

// statxPath reads the attributes of a directory. If another process or machine would have to be
// asked for them, they may be old.
func statxPath(fd int, path string) (st unix.Statx_t, err error) {
	flags := unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	err = unix.Statx(fd, path, flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st)
	return st, err
}

// InPlace reports whether the path still leads to the directory that is served. known is false if
// that cannot be found out now. InPlace blocks for the file systems on the way.
func (p *Point) InPlace() (there, known bool) {
	fd, err := unix.Open(p.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EACCES:
		return p.mountsAbove()
	default:
		return false, false
	}
	st, err := statxPath(fd, "")
	if err != nil {
		_ = unix.Close(fd)
		return false, false
	}
	now := spotOf(&st)
	there = p.here.leadsTo(now)
	if there && now.mount != p.here.mount && !mounted(p.here.mount) {
		// umount -l has taken the former mount out of the tree. The new mount is now the
		// one that umount must call busy.
		fd, p.visible = p.visible, fd
		p.here = now
	}
	_ = unix.Close(fd)
	return there, true
}

// mountsAbove is InPlace for a path that leads nowhere. One possible reason is that somebody moved
// or removed the directory; that is no change of mounts. The other is that somebody mounted
// something without the directory above it.
func (p *Point) mountsAbove() (there, known bool) {
	for dir := p.path; dir != "/"; {
		dir = filepath.Dir(dir)
		st, err := statxPath(unix.AT_FDCWD, dir)
		switch err {
		case nil:
			return p.above[dir].leadsTo(spotOf(&st)) &&
				(!p.listed || mounted(p.here.mount)), true
		case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EACCES:
		default:
			return false, false
		}
	}
	return false, false
}

// mounted reports whether the mount with this ID is in the process's tree of mounts.
func mounted(id uint64) bool {
	line, known := Line(id)
	return line != nil || !known // if nothing is known, nothing has happened
}

// Line returns the line of mountinfo (proc_pid_mountinfo(5)) for the mount with this ID, which
// statx(2) reports. It returns nil if the mount is not in the process's tree of mounts. known is
// false if mountinfo cannot be read. Line blocks for no file system except procfs.
func Line(id uint64) (line []byte, known bool) {
	table, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return nil, false
	}
	want := strconv.AppendUint(nil, id, 10)
	for line := range bytes.Lines(table) {
		if n, _, _ := bytes.Cut(line, []byte(" ")); bytes.Equal(n, want) {
			return line, true
		}
	}
	return nil, true
}
