package posixfs

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// A name that has been looked up before is looked up again with one statx, instead of opening,
// asking and closing. The kernel resolves the name each time. The View remembers only the entry to
// which the name will probably lead, and the answer counts if it is about that entry's object. An
// entry keeps its object's inode. If the entry was opened by this very name, it also keeps the
// kernel's cache of the name, so statx finds the name without waiting. (Only when somebody renames
// or removes the file beside the server, statx has to look into the directory, once.)

// hint is the entry to which a name probably leads.
type hint struct {
	key   uint64 // nameKey
	child *entry
}

// Keys that stand for no name.
const (
	unnamed = 0 // the entry was opened by a handle
	passing = 1 // the object is not worth an entry
)

// nameKey returns a key for a name in a directory. Two names with the same key cost speed and
// nothing else.
func nameKey(de *entry, name []byte) uint64 {
	x := de.ID * 0x9e3779b97f4a7c15
	for len(name) >= 8 {
		x = (x ^ binary.LittleEndian.Uint64(name)) * 0xff51afd7ed558ccd
		x ^= x >> 32
		name = name[8:]
	}
	for i, c := range name {
		x ^= uint64(c) << (8 * i)
	}
	return kernel.Mix(x^uint64(len(name))<<60) | 2
}

func (v *View) hintAt(key uint64) *hint { return v.hints.At(key >> 2) }

// hint remembers the entry to which the name with this key has just led.
func (v *View) hint(key uint64) {
	if x := v.use.At(useChild); x != nil && v.fs.is.private && (x.Own.name == key || x.Kind == unix.S_IFDIR) {
		*v.hintAt(key) = hint{key: key, child: x}
	}
}

// again looks v.name up in de, with the thread's present rights, and uses the hint for the name. It
// returns false if there is no hint or the hint was wrong. The careful way then finds out why.
func (v *View) again(de *entry, key uint64, e *vfs.Entry) bool {
	at := v.hintAt(key)
	x := at.child
	if x == nil || at.key != key {
		return false
	}
	n := count(x)
	if v.hold(x, useChild) && v.statxAt(de.FD, &v.name[0], &v.st2) == 0 && kernel.KeyOf(&v.st2) == x.Key {
		v.met(x, n, &v.st2)
		e.Handle = x.Handle
		v.fs.attributes(&e.Attr, &v.st2)
		return true
	}
	*at = hint{}
	return false
}
