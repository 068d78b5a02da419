package posixfs

import (
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/mounts"
)

// The FS serves the directory that was at its path when it started. Later somebody may mount
// another disk there, or take the disk away. A process that then writes to the path means another
// file system than the one that is served. For example, clients' files would fill the root disk
// below a mount that came late. So whenever the mount table changes, an FS checks where its path
// leads. As long as the path leads to another object on another mount, every operation returns
// Delay.
//
// Names decide nothing. If somebody renames the directory, or puts another one of the same mount in
// its place, the FS serves the directory until the end.

// Values of View.off: why a View answers no call itself.
const (
	offAway   = 1 + iota // a lane's View, of a file system that lanes must not touch
	offPaused            // something else is at the FS's path
)

// refusal returns the answer of a View for the value off of View.off, which is not 0.
func refusal(off uint32) vfs.Status {
	if off == offPaused {
		return vfs.Delay
	}
	return vfs.Again
}

// runMounts checks the path after each change of the mount table, until stop is closed.
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

// lookAtPoint pauses the FS or lets it go on, depending on where its path leads.
func (fs *FS) lookAtPoint() {
	there, known := fs.point.InPlace()
	paused := fs.paused.Load()
	switch {
	case !known || there != paused:
		return
	case there:
		fs.pause(false)
		fs.log.Info("export goes on: what was exported is at its path again", "dir", fs.point.Path())
	default:
		fs.pause(true)
		if fs.point.Mounted() {
			fs.log.Error(
				"export paused: it is mounted elsewhere now, or something else is mounted at its path, and clients have to wait: undo that to go on, or start the server again to export it",
				"dir",
				fs.point.Path(),
			)
		} else {
			fs.log.Error("export paused: it has been unmounted, and clients have to wait: mount it there again to go on, or start the server again to export what is there now",
				"dir", fs.point.Path())
		}
	}
}

// pause makes every operation return Delay, or ends that.
func (fs *FS) pause(on bool) {
	fs.viewsMu.Lock()
	defer fs.viewsMu.Unlock()
	fs.paused.Store(on)
	for _, v := range *fs.views.Load() {
		v.turnOff()
	}
}

// turnOff sets v.off. The caller holds viewsMu.
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

// MountLine returns the line of mountinfo (proc_pid_mountinfo(5)) for the mount with this ID, which
// statx(2) reports. It returns nil if the mount is not in the process's tree of mounts. known is
// false if mountinfo cannot be read. MountLine blocks for no file system except procfs.
func MountLine(id uint64) (line []byte, known bool) { return mounts.Line(id) }
