package posixfs

import (
	"encoding/binary"
	"maps"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// subvolumes remembers the number of each btrfs subvolume by its present device number. Since Linux
// 6.10 statx tells the number of the subvolume. Before, the handle of each object tells it, and the
// FS makes a handle when it first sees an object of a subvolume. The file systems of an overlay's
// layers are treated in the same way. The kernel gives out the device numbers of both as they come,
// so with these alone a file would have another number after a reboot.
type subvolumes struct {
	mu    futex.Mutex                       // guards changing byDev
	byDev atomic.Pointer[map[uint64]uint64] // nobody changes a map that is here
}

// learn notes that objects with the device number dev are in the volume id. first says that this is
// the first volume.
func (s *subvolumes) learn(dev, id uint64) (first bool) {
	if got, ok := s.find(dev); ok && got == id {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	m := make(map[uint64]uint64)
	if old := s.byDev.Load(); old != nil {
		maps.Copy(m, *old)
	}
	m[dev] = id
	s.byDev.Store(&m)
	return len(m) == 1
}

// subvolumeOf returns the subvolume that a btrfs handle contains.
func subvolumeOf(h *vfs.Handle) (id uint64, ok bool) {
	const at = kernel.KindBytes + 8 // struct btrfs_fid: object, root
	b := h.Bytes()
	if len(b) < at+8 {
		return 0, false
	}
	return binary.NativeEndian.Uint64(b[at:]), true
}

// layerOf returns a number for the file system of the layer that an overlay's handle belongs to. It
// is made of that file system's UUID (struct ovl_fb of the kernel, behind its padding).
func layerOf(h *vfs.Handle) (id uint64, ok bool) {
	const (
		unpadded, padded = 0xfb, 0xf8 // OVL_FILEID_V0, OVL_FILEID_V1
		padding          = 3
		magicAt, magic   = 1, 0xfb
		uuidAt           = 5
	)
	b := h.Bytes()
	if len(b) < kernel.KindBytes+padding {
		return 0, false
	}
	kind := binary.LittleEndian.Uint32(b)
	if b = b[kernel.KindBytes:]; kind == padded {
		b = b[padding:]
	}
	if kind != padded && kind != unpadded || len(b) < uuidAt+16 || b[magicAt] != magic {
		return 0, false
	}
	b = b[uuidAt:]
	return kernel.Mix(binary.LittleEndian.Uint64(b)) ^ binary.LittleEndian.Uint64(b[8:]), true
}

// find returns the volume for a device number.
func (s *subvolumes) find(dev uint64) (id uint64, ok bool) {
	if m := s.byDev.Load(); m != nil {
		id, ok = (*m)[dev]
	}
	return id, ok
}

func devOf(st *unix.Statx_t) uint64 { return uint64(st.Dev_major)<<32 | uint64(st.Dev_minor) }

// learnVolume must be called for every object whose handle has just been made. From then on fileID
// knows the object's volume.
func (fs *FS) learnVolume(h *vfs.Handle, st *unix.Statx_t) {
	if !fs.mustLearn(st) {
		return
	}
	if fs.magic != unix.OVERLAYFS_SUPER_MAGIC {
		if id, ok := subvolumeOf(h); ok {
			fs.volumes.learn(devOf(st), id)
		}
		return
	}
	if id, ok := layerOf(h); ok && fs.volumes.learn(devOf(st), id) {
		fs.running.Go(func() { // a log may be slow
			fs.log.Warn(
				"posixfs: an overlay of layers on several file systems, mounted without xino, numbers its "+
					"directories anew "+
					"whenever they come into memory, and clients may find them stale; mount it with xino=on",
				"dir",
				fs.dir,
			)
		})
	}
}

// mustLearn reports whether a handle is needed to know the volume of the object with the attributes
// st.
func (fs *FS) mustLearn(st *unix.Statx_t) bool {
	switch fs.magic {
	case unix.BTRFS_SUPER_MAGIC:
		return fs.is.noSubvolume || st.Mask&kernel.StatxSubvol == 0
	case unix.OVERLAYFS_SUPER_MAGIC: // a device per layer's file system, not for directories
		return !fs.inRootVolume(st)
	}
	return false
}

// learnVolumeAt is learnVolume for an entry by its name, whose attributes are in v.st2.
func (v *View) learnVolumeAt(dir int, name *byte) {
	if !v.fs.mustLearn(&v.st2) {
		return
	}
	if v.fs.magic == unix.BTRFS_SUPER_MAGIC {
		if v.st2.Ino != subvolumeRoot {
			return
		}
	} else if _, ok := v.fs.volumes.find(devOf(&v.st2)); ok {
		return
	}
	if h, errno := kernel.HandleAt(dir, name, &v.kh, &v.mount); errno == 0 {
		v.fs.learnVolume(&h, &v.st2)
	}
}

// fileID returns the number of an object. No other object of the tree has the same.
func (fs *FS) fileID(st *unix.Statx_t) uint64 {
	if st.Ino&stubBit != 0 {
		return st.Ino
	}
	return st.Ino ^ fs.volume(st)
}

// inRootVolume reports whether an object is in the volume of the root. Its number is then the
// kernel's. Most objects are there, and so need no look at their volume.
func (fs *FS) inRootVolume(st *unix.Statx_t) bool {
	return st.Dev_major == fs.rootKey.Major && st.Dev_minor == fs.rootKey.Minor
}

// volume returns a number that tells the inode numbers of one btrfs subvolume, or of one layer's
// file system of an overlay, from those of another. It is 0 in the volume of the root. All
// subvolumes are on one mount, but each counts its inodes from 256.
func (fs *FS) volume(st *unix.Statx_t) uint64 {
	if fs.inRootVolume(st) {
		return 0
	}
	if st.Mask&kernel.StatxSubvol != 0 && !fs.is.noSubvolume &&
		fs.magic != unix.OVERLAYFS_SUPER_MAGIC { // which passes on its layer's number
		return kernel.Mix(st.Subvol)
	}
	if id, ok := fs.volumes.find(devOf(st)); ok {
		return kernel.Mix(id)
	}
	return kernel.Mix(devOf(st)) // the handle contains no volume, or has not been made yet
}
