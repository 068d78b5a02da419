package posixfs

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// shut is what a tree keeps from all clients: a directory of the server's own, the entries that
// this directory has now, and the names by which the next start will find it. It is immutable. The
// zero value shuts nothing.
type shut struct {
	// closed are the objects that clients may see, but may neither enter nor read nor change,
	// whatever the name or handle by which they reach the object. The handle may be of an
	// earlier run.
	closed map[kernel.ObjectKey]bool
	// fixed are the directory and those above it, up to the top of the tree. Clients may not
	// move them, because the server would then find another directory in their place.
	fixed map[kernel.ObjectKey]bool
	dir   string
}

// shutOut keeps dir from clients. It fails if dir is the top of the tree.
func (fs *FS) shutOut(dir string) error {
	if dir == "" {
		return nil
	}
	at, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("posixfs: opening %s, which clients shall not: %w", dir, err)
	}
	defer func() { kernel.CloseFD(at) }()
	var st unix.Statx_t
	if errno := kernel.StatxWait(at, &st); errno != 0 {
		return fmt.Errorf("posixfs: attributes of %s: %w", dir, errno)
	}
	if kernel.KeyOf(&st) == fs.rootKey {
		return fmt.Errorf(
			"posixfs: %s is the server's own directory (%s), which clients must not reach: export another "+
				"one, or have the server keep its own elsewhere (--state-dir)",
			fs.dir,
			dir,
		)
	}
	fs.shut = shut{closed: map[kernel.ObjectKey]bool{kernel.KeyOf(&st): true}, dir: dir}
	if err := fs.shutFilesIn(dir, at); err != nil {
		return err
	}
	above, last := make(map[kernel.ObjectKey]bool), kernel.ObjectKey{}
	for k := kernel.KeyOf(&st); k != last; k = kernel.KeyOf(&st) {
		if k == fs.rootKey {
			fs.shut.fixed = above
			return nil
		}
		above[k], last = true, k
		up, errno := kernel.Openat(at, &dotdot[0], unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if errno != 0 { // nor can clients get there by name
			return nil
		}
		kernel.CloseFD(at)
		at = up
		if errno := kernel.StatxWait(at, &st); errno != 0 {
			return fmt.Errorf("posixfs: attributes of what is above %s: %w", dir, errno)
		}
	}
	return nil
}

func (fs *FS) shutFilesIn(dir string, at int) error {
	list, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("posixfs: what clients shall not open: %w", err)
	}
	for _, x := range list {
		var name [unix.NAME_MAX + 1]byte
		var st unix.Statx_t
		if cstring(name[:], []byte(x.Name())) && kernel.StatxAt(at, &name[0], &st) == 0 { // or gone
			fs.shut.closed[kernel.KeyOf(&st)] = true
		}
	}
	return nil
}

// fixedAt reports whether clients must not move the object called name in a directory.
func (fs *FS) fixedAt(dir int, name *byte) bool {
	if len(fs.shut.fixed) == 0 {
		return false
	}
	var st unix.Statx_t
	return kernel.StatxAt(dir, name, &st) == 0 && fs.shut.fixed[kernel.KeyOf(&st)]
}

// shutNote returns a line for the start-up message if the tree contains the shut directory, "" if
// it does not.
func (fs *FS) shutNote() string {
	if len(fs.shut.fixed) == 0 {
		return ""
	}
	return fmt.Sprintf(
		"the state directory %s lies in the export %s: clients cannot enter or move it, but could read "+
			"copies of it (backups, snapshots) there; --state-dir DIR keeps it elsewhere",
		fs.shut.dir,
		fs.dir,
	)
}

// acquire is reach for calls of clients: it refuses objects that clients may not use.
func (v *View) acquire(h *vfs.Handle, use int) (*entry, vfs.Status) {
	e, s := v.reach(h, use)
	if s == vfs.OK && e.Own.shut {
		v.use.Drop(use)
		return nil, vfs.Access
	}
	return e, s
}
