package kernel

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// In a user namespace a process can act only as the users and groups that the namespace maps. For
// all others setfsuid(2) changes nothing, and setgroups(2) fails as a whole. If an object's owner
// is not mapped, the kernel shows the overflow user as its owner. The namespace may map the
// overflow user as well.

// Namespace is the users and groups that the process's user namespace maps.
type Namespace struct {
	Users, Groups vfs.IDs // nil: all
	Overflow      uint32  // the owner that the kernel shows if an owner is not mapped
	noGroups      bool    // the namespace has setgroups(2) switched off
}

// OwnNamespace reads the process's namespace. A kernel without user namespaces has one that maps
// all users and groups.
func OwnNamespace() (n Namespace, err error) {
	if n.Users, err = mapOf("/proc/self/uid_map"); err != nil {
		return n, err
	}
	if n.Groups, err = mapOf("/proc/self/gid_map"); err != nil {
		return n, err
	}
	n.Overflow = 65534
	if text, err := os.ReadFile("/proc/sys/kernel/overflowuid"); err == nil {
		if id, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32); err == nil {
			n.Overflow = uint32(id)
		}
	}
	text, _ := os.ReadFile("/proc/self/setgroups") // since Linux 3.19
	n.noGroups = strings.TrimSpace(string(text)) == "deny"
	return n, nil
}

// mapOf reads a map in the format of user_namespaces(7).
func mapOf(path string) (vfs.IDs, error) {
	text, err := os.ReadFile(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("posixfs: which ids there are: %w", err)
	}
	return parseMap(string(text))
}

// parseMap turns the lines "inside outside count" into the ids inside, nil if these are all ids
// that there can be.
func parseMap(text string) (vfs.IDs, error) {
	m := vfs.IDs{}
	all := uint64(0)
	for line := range strings.Lines(text) {
		var inside, outside, count uint32
		if _, err := fmt.Sscan(line, &inside, &outside, &count); err != nil {
			return nil, fmt.Errorf("posixfs: a line of an id map reads %q: %w", line, err)
		}
		m = append(m, vfs.IDRange{First: inside, Count: count})
		all += uint64(count)
	}
	if all >= 1<<32-1 { // 2^32-1 itself is no id
		return nil, nil
	}
	return m, nil
}

// Limited reports whether there are users or groups as whom the process cannot act.
func (n *Namespace) Limited() bool { return n.Users != nil || n.Groups != nil }

// Other returns a credential that has none of root's ids, and false if the namespace has none.
func (n *Namespace) Other() (*vfs.Cred, bool) {
	pick := func(m vfs.IDs, prefer uint32) (uint32, bool) {
		if m.Has(prefer) {
			return prefer, true
		}
		for _, r := range m {
			if last := r.First + r.Count - 1; r.Count > 0 && last != 0 {
				return last, true
			}
		}
		return 0, false
	}
	uid, okUser := pick(n.Users, 65534)
	gid, okGroup := pick(n.Groups, 65534)
	group, _ := pick(n.Groups, 65533)
	return &vfs.Cred{UID: uid, GID: gid, Groups: []uint32{group}}, okUser && okGroup
}
