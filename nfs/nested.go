package nfs

import (
	"fmt"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
)

// refuseNested fails when a directory lies in another export that grants more, because clients
// could reach all of it through that export. A mount of another file system is no part of the
// export that it lies in. The same directory may be exported under two names.
func refuseNested(exports []export.Export) error {
	places := make([]place, len(exports))
	for i := range exports {
		if _, ok := exports[i].FS.(*posixfs.FS); ok {
			places[i] = placeOf(exports[i].Path)
		}
	}
	for i := range exports {
		for j := range exports {
			if !places[i].within(&places[j]) {
				continue
			}
			if what := exports[i].Stricter(exports[j].Options); what != "" {
				return fmt.Errorf("nfs: export %s lies in export %s, by which all of it can be had, but %s and the other one is not so: give both the same options, or export directories that do not lie in each other",
					exports[i].Path, exports[j].Path, what)
			}
		}
	}
	return nil
}

// refuseShared fails when an export that nobody else changes has its file system in common with
// another export. The files of one could have names in the other, too.
func refuseShared(configs []Export, exports []export.Export) error {
	for i := range configs {
		if !configs[i].Exclusive {
			continue
		}
		for j := range exports {
			if i != j && exports[i].Volume == exports[j].Volume {
				return fmt.Errorf("nfs: export %s is to be changed through itself alone, but export %s is "+
					"on the same file system: leave out one of the two, or Exclusive",
					exports[i].Path, exports[j].Path)
			}
		}
	}
	return nil
}

// unreached notes that clients of version 4 do not get from x to all exports that lie in it.
func (s *Server) unreached(x *export.Export) {
	s.notes = append(s.notes, fmt.Sprintf(
		"version 4: from %s clients do not reach all exports below it, because it does not contain the directories "+
			"that lead there: export a directory that does",
		x.Path))
}

// place is where a directory is. The zero value is nowhere.
type place struct {
	path       string // without symbolic links
	dev, mount uint64
}

func placeOf(dir string) place {
	path, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return place{}
	}
	var st unix.Statx_t
	if err := unix.Statx(unix.AT_FDCWD, path, 0, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID, &st); err != nil {
		return place{}
	}
	return place{path: path, dev: unix.Mkdev(st.Dev_major, st.Dev_minor), mount: st.Mnt_id}
}

// within reports whether p lies in q and can be reached from there. The subvolumes of btrfs have
// devices of their own and can be reached; so can a directory that a bind mount of the same file
// system covers.
func (p *place) within(q *place) bool {
	if p.path == "" || q.path == "" || p.path == q.path || p.dev != q.dev && p.mount != q.mount {
		return false
	}
	return strings.HasPrefix(p.path, strings.TrimSuffix(q.path, "/")+"/")
}
