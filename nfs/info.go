package nfs

import (
	"net/netip"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/syscalls"
)

// Feature is an io_uring feature and whether the server uses it.
type Feature struct {
	Name string // as the kernel spells it
	On   bool
	Why  string // why it is not on
}

// Info is what a Server has made of its Config.
type Info struct {
	Kernel    string    // release
	Features  []Feature // those that a Server makes use of
	Addrs     []netip.Addr
	Port      int
	MountPort int
	// PortmapPort is 0 when the server does not answer portmap calls; PortmapWhy then says why.
	PortmapPort int
	PortmapWhy  string
	Exports     []Export
	Versions    Versions
	Lanes       int
	Memory      int64
	ReadMax     uint32
	WriteMax    uint32
	// ReadOnlyMounts are the Dirs of the exports that are mounted read-only on this machine.
	// Clients cannot change anything there, whatever the Export says.
	ReadOnlyMounts []string
	// ActsForOthers is whether the server serves callers with their own rights. Otherwise every
	// caller has the rights of the process, and of this machine's users the server serves only
	// root and the process's own user.
	ActsForOthers bool
	// Notes say what the exports have to do without, and why.
	Notes []string
}

// Info returns what New has settled. It may be called at any time.
func (s *Server) Info() Info {
	i := Info{
		Kernel: s.kernel, Features: s.features, Addrs: s.cfg.Listen,
		Port: s.cfg.Port, MountPort: s.cfg.MountPort, PortmapWhy: s.sockets.why,
		Exports: s.cfg.Exports, Versions: s.cfg.Versions, Lanes: s.cfg.Lanes, Memory: s.cfg.Memory,
		ReadMax: s.cfg.ReadMax, WriteMax: s.cfg.WriteMax, ReadOnlyMounts: s.readOnly,
		ActsForOthers: !s.origins.alone,
	}
	if len(s.sockets.portmap) > 0 {
		i.PortmapPort = PortmapPort
	}
	i.Notes = syscalls.Notes()
	i.Notes = slices.Concat(i.Notes, s.notes)
	if s.state4 != nil {
		i.Notes = append(i.Notes, coarseNotes(s.cfg.Exports)...)
	}
	for _, x := range s.cfg.Exports {
		fs, ok := x.FS.(interface {
			Features() (kind string, without []string)
		})
		if !ok {
			continue
		}
		_, without := fs.Features()
		for _, w := range without {
			if !slices.Contains(i.Notes, w) { // the process lacks it, so all exports say the same
				i.Notes = append(i.Notes, w)
			}
		}
	}
	return i
}

// coarseNotes says where change attributes of version 4 are made of ctimes that changes share.
func coarseNotes(exports []Export) (notes []string) {
	for _, x := range exports {
		if x.FS != nil && !x.FS.Limits().CtimeIsChange {
			notes = append(notes, "fast changes below "+x.Dir+
				" share a ctime: clients of version 4 read what has just changed once more")
		}
	}
	return notes
}

// mountedReadOnly reports whether the mount of dir forbids all changes.
func mountedReadOnly(dir string) bool {
	fd, err := unix.Open(dir, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return false // gone meanwhile
	}
	defer func() { _ = unix.Close(fd) }()
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && st.Flags&unix.ST_RDONLY != 0
}
