package posixfs

import (
	"encoding/binary"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// A name that has been looked up before is looked up again by one statx instead of
// opening, asking and closing. The name is resolved by the kernel each time; what
// is remembered is only the entry that it will probably lead to, and the answer
// counts when it is that entry's object. An entry keeps its object's inode, and if
// it was opened by this very name also the kernel's cache of the name, so that
// statx finds it without waiting. (Only when somebody renames or removes the file
// beside the server it has to look into the directory, once.)

// hint is where a name probably leads.
type hint struct {
	key   uint64 // nameKey
	child *entry
}

// Keys that are no names.
const (
	unnamed = 0 // opened by a handle
	passing = 1 // not worth an entry
)

// nameKey stands for a name in a directory. Two names that share one cost speed
// and nothing else.
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

// hint remembers what the name with this key has just led to.
func (v *View) hint(key uint64) {
	if x := v.use.At(useChild); x != nil && v.fs.is.private && (x.Own.name == key || x.Kind == unix.S_IFDIR) {
		*v.hintAt(key) = hint{key: key, child: x}
	}
}

// again looks v.name up in de where the hint says what to expect, with the
// thread's present rights. It reports false when that did not do; the careful way
// then finds out why.
func (v *View) again(de *entry, key uint64, e *vfs.Entry) bool {
	at := v.hintAt(key)
	x := at.child
	if x == nil || at.key != key {
		return false
	}
	if v.hold(x, useChild) && v.statxAt(de.FD, &v.name[0], &v.st2) == 0 && kernel.KeyOf(&v.st2) == x.Key {
		e.Handle = x.Handle
		v.fs.attributes(&e.Attr, &v.st2)
		return true
	}
	*at = hint{}
	return false
}
