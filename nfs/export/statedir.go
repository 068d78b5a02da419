package export

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// A user who may write to the state directory, or to a directory above it, can replace the key with
// one that the user knows, and then forge file handles.

// checkDir makes sure that nobody but root and this process's user can replace what is in the state
// directory dir, which exists. A directory above it passes if only owners may rename in it (the
// sticky bit, as on /tmp). Groups that may write to dir are trusted if they are root's or the
// process's own, supplementary ones too (Kubernetes gives a volume to the group fsGroup). In the
// directories above, all groups are trusted.
func checkDir(dir string) error {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return err
	}
	if real, err = filepath.Abs(real); err != nil {
		return err
	}
	for at := real; ; at = filepath.Dir(at) {
		info, err := os.Stat(at)
		if err != nil {
			return err
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok || !info.IsDir() {
			return fmt.Errorf("the state directory %s is not one", at)
		}
		if err := checkOwner(dir, real, at, st); err != nil {
			return err
		}
		mode := st.Mode & 0o1777
		others, group := mode&0o002 != 0, mode&0o020 != 0 && st.Gid != 0 && !ownGroup(int(st.Gid))
		who := ""
		if mode&0o020 != 0 { // with a list, the most that anybody gets from it
			who = listed(at, at == real)
		}
		switch {
		case who != "" && (at == real || mode&0o1000 == 0):
			return fmt.Errorf(
				"by the access control list of %s %s can write to it, and so replace the key in the state "+
					"directory %s and forge file handles: take that away (setfacl -b), or give --state-dir "+
					"another one",
				at,
				who,
				dir,
			)
		case at == real && others:
			return fmt.Errorf(
				"anybody can write to the state directory %s (mode %04o), and so replace the key and forge file handles: run chmod go-w on it, or give --state-dir another one",
				dir,
				mode,
			)
		case at == real && group:
			return fmt.Errorf(
				"group %d can write to the state directory %s (mode %04o), and so replace the key and forge file handles: run chmod g-w on it, or give --state-dir another one",
				st.Gid,
				dir,
				mode,
			)
		case others && mode&0o1000 == 0:
			return fmt.Errorf(
				"anybody can write to %s (mode %04o), and so put another directory in the place of the state directory %s and forge file handles: give --state-dir another one",
				at,
				mode,
				dir,
			)
		}
		if at == filepath.Dir(at) {
			return nil
		}
	}
}

// listed returns a user who may write to the directory by its access control list
// (linux/posix_acl_xattr.h) and is neither root nor the process's user. With groups it also looks
// for such a group.
func listed(dir string, groups bool) string {
	const (
		header, size = 4, 8 // a version; each entry is a tag, rights and an id
		user, group  = 2, 8
		write        = 2
	)
	b := make([]byte, 64<<10) // the longest attribute
	n, err := syscall.Getxattr(dir, "system.posix_acl_access", b)
	if err != nil {
		return "" // there is no list
	}
	for b = b[min(header, n):n]; len(b) >= size; b = b[size:] {
		tag, rights, id := binary.LittleEndian.Uint16(
			b,
		), binary.LittleEndian.Uint16(
			b[2:],
		), binary.LittleEndian.Uint32(
			b[4:],
		)
		switch {
		case rights&write == 0 || id == 0:
		case tag == user && int(id) != os.Geteuid() && id != unmapped("uid"):
			return fmt.Sprintf("user %d", id)
		case tag == group && groups && !ownGroup(int(id)):
			return fmt.Sprintf("group %d", id)
		}
	}
	return ""
}

// ownGroup reports whether gid is one of the process's groups.
func ownGroup(gid int) bool {
	if gid == os.Getegid() {
		return true
	}
	groups, err := os.Getgroups()
	if u := unmapped("gid"); u != 0 && gid == int(u) {
		return false // stands for any group outside the user namespace
	}
	return err == nil && slices.Contains(groups, gid)
}

func checkOwner(dir, real, at string, st *syscall.Stat_t) error {
	if st.Uid == 0 || int(st.Uid) == os.Geteuid() || st.Uid == unmapped("uid") {
		return nil
	}
	if at != real { // perhaps a home, whose owner is to keep it
		return fmt.Errorf(
			"%s belongs to user %d, who could put another directory in the place of the state directory %s and forge file handles: give --state-dir another one",
			at,
			st.Uid,
			dir,
		)
	}
	return fmt.Errorf(
		"%s belongs to user %d, who could replace the key in the state directory %s and forge file handles: chown it to user %d, or give --state-dir another one",
		at,
		st.Uid,
		dir,
		os.Geteuid(),
	)
}

// unmapped returns the user or group (kind is uid or gid) that the kernel shows as the owner of
// objects whose owner is outside this process's user namespace. All such owners look the same, root
// among them. It returns 0 if no ids of that kind are outside.
func unmapped(kind string) uint32 {
	ids, err := os.ReadFile("/proc/self/" + kind + "_map")
	if err != nil || strings.Contains(string(ids), "4294967295") { // all ids are mapped
		return 0
	}
	text, _ := os.ReadFile("/proc/sys/fs/overflow" + kind)
	id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		return 65534
	}
	return uint32(id)
}

// File systems whose content a reboot takes away.
const (
	tmpfsMagic = 0x01021994
	ramfsMagic = 0x858458f6
)

// Volatile says what a reboot takes away because of where the state directory lies, and what to do
// about it. It returns "" if the directory lasts.
func Volatile(stateDir string) string {
	var sf syscall.Statfs_t
	if syscall.Statfs(stateDir, &sf) != nil {
		return ""
	}
	if m := uint32(sf.Type); m != tmpfsMagic && m != ramfsMagic {
		return ""
	}
	return fmt.Sprintf(
		"the state directory %s is in memory (tmpfs): after a reboot the key is another, and clients must mount again; give --state-dir a directory on a disk",
		stateDir,
	)
}
