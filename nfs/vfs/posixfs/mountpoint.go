package posixfs

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// The FS serves the directory that was at its path when it started. When another disk
// is mounted there, or the disk is taken away, whoever writes to the path means another
// file system than the one that is served: clients' files would fill the root disk below
// a mount that came late. So whenever the mount table changes, an FS looks what its path
// leads to. As long as that is on another mount and another object, every operation is
// Delay.
//
// Names decide nothing: who renames the directory, or puts another one of the same mount
// in its place, has it served on until the end.

// mountPoint is where an FS's directory was found. Only runMounts changes it.
type mountPoint struct {
	path   string          // without symbolic links
	here   spot            // of FS.visible, so no other mount has its number meanwhile
	listed bool            // it is in the mount table, which has nothing from outside a chroot
	above  map[string]spot // the directories above
}

// spot is a directory and the mount that it is on.
type spot struct {
	mount, ino   uint64 // STATX_MNT_ID and inode number
	major, minor uint32
}

func spotOf(st *unix.Statx_t) spot {
	return spot{mount: st.Mnt_id, ino: st.Ino, major: st.Dev_major, minor: st.Dev_minor}
}

// leadsTo reports whether a path that led to p and leads to q now means the same.
// Another mount of the same directory is no other place.
func (p spot) leadsTo(q spot) bool {
	return p.mount == q.mount || p.ino == q.ino && p.major == q.major && p.minor == q.minor
}

// The values of View.off: why a View answers nothing by itself.
const (
	offAway   = 1 + iota // a lane's, of a file system that it must not touch
	offPaused            // something else is at the FS's path
)

// refusal is what a View answers then.
func refusal(off uint32) vfs.Status {
	if off == offPaused {
		return vfs.Delay
	}
	return vfs.Again
}

// findPoint notes where fs.visible is.
func (fs *FS) findPoint() error {
	st, err := statxPath(fs.visible, "")
	if err != nil {
		return fmt.Errorf("posixfs: attributes of %s: %w", fs.dir, err)
	}
	path, err := os.Readlink(kernel.ProcPath(fs.visible))
	if err != nil {
		return fmt.Errorf("posixfs: the path of %s: %w", fs.dir, err)
	}
	if there, err := statxPath(unix.AT_FDCWD, path); err != nil || there.Mnt_id != st.Mnt_id ||
		there.Ino != st.Ino {
		if path, err = filepath.Abs(fs.dir); err != nil { // it was removed, or /proc sees other paths
			return fmt.Errorf("posixfs: %w", err)
		}
	}
	fs.point = mountPoint{
		path:   path,
		here:   spotOf(&st),
		listed: mounted(st.Mnt_id),
		above:  make(map[string]spot),
	}
	for dir := path; dir != "/"; {
		dir = filepath.Dir(dir)
		if st, err := statxPath(unix.AT_FDCWD, dir); err == nil {
			fs.point.above[dir] = spotOf(&st)
		}
	}
	return nil
}

// statxPath asks for a directory. What can only be asked of another process or machine
// may be old.
func statxPath(fd int, path string) (st unix.Statx_t, err error) {
	flags := unix.AT_STATX_DONT_SYNC | unix.AT_NO_AUTOMOUNT
	if path == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	err = unix.Statx(fd, path, flags, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st)
	return st, err
}

// runMounts looks at the path after each change of the mount table until stop is
// closed.
func (fs *FS) runMounts() {
	for {
		select {
		case <-fs.stop:
			return
		case <-fs.remounted:
			fs.lookAtPoint()
		}
	}
}

// lookAtPoint pauses the FS, or lets it go on, by what its path leads to.
func (fs *FS) lookAtPoint() {
	there, known := fs.inPlace()
	paused := fs.paused.Load()
	switch {
	case !known || there != paused:
		return
	case there:
		fs.pause(false)
		fs.log.Info("export goes on: what was exported is at its path again", "dir", fs.point.path)
	default:
		fs.pause(true)
		if mounted(fs.point.here.mount) {
			fs.log.Error(
				"export paused: it is mounted elsewhere now, or something else is mounted at its path, and clients have to wait: undo that to go on, or start the server again to export it",
				"dir",
				fs.point.path,
			)
		} else {
			fs.log.Error("export paused: it has been unmounted, and clients have to wait: mount it there again to go on, or start the server again to export what is there now",
				"dir", fs.point.path)
		}
	}
}

// inPlace reports whether the FS's path leads to what is served. known is false when
// that cannot be told now.
func (fs *FS) inPlace() (there, known bool) {
	p := &fs.point
	fd, err := unix.Open(p.path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch err {
	case nil:
	case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EACCES:
		return fs.mountsAbove()
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
		// umount -l took the former mount out of the tree. It is this one now that
		// umount must call busy.
		fd, fs.visible = fs.visible, fd
		p.here = now
	}
	_ = unix.Close(fd)
	return there, true
}

// mountsAbove is inPlace for a path that leads nowhere. Either the directory was moved
// or removed, which is none of our business, or something without it was mounted above.
func (fs *FS) mountsAbove() (there, known bool) {
	for dir := fs.point.path; dir != "/"; {
		dir = filepath.Dir(dir)
		st, err := statxPath(unix.AT_FDCWD, dir)
		switch err {
		case nil:
			return fs.point.above[dir].leadsTo(spotOf(&st)) &&
				(!fs.point.listed || mounted(fs.point.here.mount)), true
		case unix.ENOENT, unix.ENOTDIR, unix.ELOOP, unix.EACCES:
		default:
			return false, false
		}
	}
	return false, false
}

// mounted reports whether the mount with this ID is in the process's tree of mounts.
func mounted(id uint64) bool {
	line, known := MountLine(id)
	return line != nil || !known // nothing is known, so nothing has happened
}

// MountLine returns the line of mountinfo (proc_pid_mountinfo(5)) of the mount with this
// ID, as statx(2) tells it: nil when it is not in the process's tree of mounts. It reports
// false when that cannot be read. It blocks for no file system but procfs.
func MountLine(id uint64) (line []byte, known bool) {
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

// pause makes every operation Delay, or ends that.
func (fs *FS) pause(on bool) {
	fs.viewsMu.Lock()
	defer fs.viewsMu.Unlock()
	fs.paused.Store(on)
	for _, v := range *fs.views.Load() {
		v.turnOff()
	}
}

// turnOff settles v.off. viewsMu is held.
func (v *View) turnOff() {
	switch {
	case v.fs.paused.Load():
		v.off.Store(offPaused)
	case v.lane && v.fs.is.foreign:
		v.off.Store(offAway)
	default:
		v.off.Store(0)
	}
}
