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

// A FUSE file system is another program. It may do things that no local file system does: count no
// links, forget objects that are not in use, give places in directories that mean nothing to the
// next open. The FS tries these on the root at the start, and watches for them later.

// oddities is what an FS has found out about its file system.
type oddities struct {
	doubtful  bool        // the file system may have any of the others
	uncounted atomic.Bool // link counts are 0, however many names the object has
	forgets   bool        // handles of objects that are not in use become stale
	fat       bool        // and so do FAT's
	untried   bool        // it is not known whether forgets is true
	told      atomic.Bool // the log has been told of handles that became stale
}

// tryOddities tries what the file system does. The root must be open.
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
	odd.untried = true // until there is a name to try
	for d := listing.First(fs.root); len(d) > 0; d = d.Rest() {
		if d.Dot() || d.DotDot() {
			continue
		}
		fs.seeLinks(fs.root, d.Path())
		odd.forgets, odd.untried = fs.forgotten(d.Path())
		break
	}
}

// keeps reports whether an object that was looked up stays open as long as there is room. The file
// system might forget a closed one.
func (odd *oddities) keeps() bool { return odd.forgets || odd.untried || odd.fat }

// fatForgets reports whether a FAT finds objects by their handles only while they are in memory.
// line is its line of mountinfo. Such a FAT has nothing that would tell a file from the next one in
// its place.
func fatForgets(line []byte) bool {
	options := bytes.Split(line[bytes.LastIndexByte(line, ' ')+1:], []byte(","))
	return !slices.ContainsFunc(
		options,
		func(o []byte) bool { return string(bytes.TrimSpace(o)) == "nfs=nostale_ro" },
	)
}

// seeLinks checks whether name in dir counts no links although it has one.
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

// forgotten reports whether the kernel no longer finds an object by its handle once nobody uses it,
// although its name is still there. It tries this with the object called name in the root. To see
// it, forgotten makes the kernel drop what it keeps for quicker look-ups, as the kernel does on its
// own when memory is short. A remount that changes nothing does that. untried means that forgotten
// could not find out.
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

// letGo makes the kernel drop the unused names of the file system of root.
func letGo(root int) bool {
	top := kernel.ProcPath(root)
	fd, err := unix.Fspick(unix.AT_FDCWD, top, unix.FSPICK_CLOEXEC)
	if err != nil {
		return false
	}
	defer kernel.CloseFD(fd)
	return unix.FsconfigReconfigure(fd) == nil
}

// stale notes that a handle which was once good no longer leads to an object.
func (fs *FS) stale(errno unix.Errno) {
	if errno == unix.ESTALE && fs.odd.doubtful && !fs.odd.forgets && !fs.odd.told.Swap(true) {
		fs.running.Go(func() { // a log may be slow
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

// lost reports whether clients can no longer use the object of e, which has the attributes st: it
// has no name, and nobody holds it.
func (fs *FS) lost(e *entry, st *unix.Statx_t) bool { return fs.gone(st) && !e.Pinned() }

// notes returns lines for the start-up message. unplaced says that places in directories do not
// last.
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
