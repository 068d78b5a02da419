package posixfs

import (
	"bytes"
	"slices"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/listing"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/mounts"
)

// A FUSE file system is another program, and may do what no local one does: count no
// links, forget objects that are not in use, give places in directories that mean
// nothing to the next open. It is tried at the start, on its root, and watched later.

// oddities is what an FS has found out about its file system.
type oddities struct {
	doubtful  bool        // a file system that may have any
	uncounted atomic.Bool // link counts are 0 whatever the object is called
	forgets   bool        // handles of objects that are not in use become stale
	fat       bool        // and so do those of FAT
	untried   bool        // whether it forgets is not known
	told      atomic.Bool // the log has been told of handles that became stale
}

// tryOddities tries what the file system does, with the root open.
func (fs *FS) tryOddities() {
	odd := &fs.odd
	if fs.magic == unix.MSDOS_SUPER_MAGIC || fs.magic == unix.EXFAT_SUPER_MAGIC {
		line, _ := mounts.Line(fs.point.Mount())
		odd.fat = fatForgets(line)
	}
	odd.doubtful = fs.magic == unix.FUSE_SUPER_MAGIC
	if !odd.doubtful {
		return
	}
	var st unix.Statx_t
	if kernel.StatxWait(fs.root, &st) == 0 && st.Nlink == 0 {
		odd.uncounted.Store(true)
	}
	fs.listings.Try(fs.root)
	odd.untried = true // until there is a name to try it with
	for d := listing.First(fs.root); len(d) > 0; d = d.Rest() {
		if d.Dot() || d.DotDot() {
			continue
		}
		fs.seeLinks(fs.root, d.Path())
		odd.forgets, odd.untried = fs.forgotten(d.Path())
		break
	}
}

// keeps reports whether what was looked up stays open while there is room: closed, it
// might be forgotten.
func (odd *oddities) keeps() bool { return odd.forgets || odd.untried || odd.fat }

// fatForgets reports whether a FAT that is mounted as a line of mountinfo says finds
// objects by their handles only while they are in memory: it has nothing else that would
// tell a file from the next one in its place.
func fatForgets(line []byte) bool {
	options := bytes.Split(line[bytes.LastIndexByte(line, ' ')+1:], []byte(","))
	return !slices.ContainsFunc(
		options,
		func(o []byte) bool { return string(bytes.TrimSpace(o)) == "nfs=nostale_ro" },
	)
}

// seeLinks looks whether name in dir counts no links though it has one.
func (fs *FS) seeLinks(dir int, name *byte) {
	if !fs.odd.doubtful || fs.odd.uncounted.Load() {
		return
	}
	var st, again unix.Statx_t
	if kernel.StatxAt(dir, name, &st) == 0 && st.Nlink == 0 && kernel.StatxAt(dir, name, &again) == 0 &&
		kernel.KeyOf(&st) == kernel.KeyOf(&again) {
		fs.odd.uncounted.Store(true)
	}
}

// forgotten reports whether the object called name in the root is not found by its
// handle once nobody has it in use, though its name is there. To see that the kernel
// is made to let go of what it keeps for quicker look-ups, as it does by itself when
// memory is short: a remount that changes nothing does so.
func (fs *FS) forgotten(name *byte) (forgotten, untried bool) {
	if !fs.is.byHandle {
		return false, true
	}
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_NOFOLLOW | unix.O_CLOEXEC, Resolve: fs.noXDev}
	fd, errno := fs.openName(fs.root, name, &how)
	if errno != 0 {
		return false, true
	}
	var k kernel.FileHandle
	var mount int32
	h, errno := kernel.Handle(fd, &k, &mount)
	kernel.CloseFD(fd)
	if errno != 0 || !k.Set(&h) || !letGo(fs.root) {
		return false, true
	}
	if fd, errno = kernel.OpenByHandle(fs.root, &k, unix.O_PATH|unix.O_CLOEXEC); errno == 0 {
		kernel.CloseFD(fd)
		return false, false
	}
	var st unix.Statx_t
	there := kernel.StatxAt(fs.root, name, &st) == 0
	return errno == unix.ESTALE && there, !there
}

// letGo has the kernel forget the names of the file system of root that nobody uses.
func letGo(root int) bool {
	top := kernel.ProcPath(root)
	fd, err := unix.Fspick(unix.AT_FDCWD, top, unix.FSPICK_CLOEXEC)
	if err != nil {
		return false
	}
	defer kernel.CloseFD(fd)
	return unix.FsconfigReconfigure(fd) == nil
}

// stale notes that a handle, which was good once, is not.
func (fs *FS) stale(errno unix.Errno) {
	if errno == unix.ESTALE && fs.odd.doubtful && !fs.odd.forgets && !fs.odd.told.Swap(true) {
		fs.running.Go(func() { // who reads the log may be slow
			fs.log.Warn(
				"posixfs: a FUSE file system does not find an object by its handle: it was removed, or "+
					"forgotten because nobody used it; file systems that do that need the option noforget (libfuse)",
				"dir",
				fs.dir,
			)
		})
	}
}

// gone reports whether an object with the attributes st has lost its last name.
func (fs *FS) gone(st *unix.Statx_t) bool { return st.Nlink == 0 && !fs.odd.uncounted.Load() }

// notes are for the start-up message. unplaced: places in directories do not last.
func (odd *oddities) notes(unplaced bool) (notes []string) {
	if odd.forgets {
		notes = append(
			notes,
			"this FUSE file system forgets objects that are not in use (it has no FUSE_EXPORT_SUPPORT): "+
				"clients' handles of them become stale; give it the option noforget (libfuse), or export another file system",
		)
	}
	if odd.fat {
		notes = append(
			notes,
			"FAT finds objects by their handles only while they are in memory: clients' handles of them become stale "+
				"when memory is short, and at a restart; mount it read-only with nfs=nostale_ro, or export "+
				"another file system",
		)
	}
	if odd.untried {
		notes = append(
			notes,
			"whether this FUSE file system forgets objects that are not in use could not be tried (that takes root "+
				"and a name in the exported directory): if it does (sshfs, and all that have no option "+
				"noforget), handles become stale",
		)
	}
	if unplaced {
		notes = append(
			notes,
			"this FUSE file system's places in directories do not last, or may be positions that change when "+
				"entries are removed: each listing reads the whole directory",
		)
	}
	return notes
}
