package nfs

import (
	"net/netip"
	"slices"
)

// Feature is an io_uring feature and what became of it.
type Feature struct {
	Name string // as the kernel spells it
	On   bool
	Why  string // why it is not on
}

// Info is what a Server has become of its Config.
type Info struct {
	Kernel    string    // release
	Features  []Feature // those that a Server makes use of
	Addrs     []netip.Addr
	Port      int
	MountPort int
	// PortmapPort is 0 when portmap is not answered; PortmapWhy tells why.
	PortmapPort int
	PortmapWhy  string
	Exports     []Export
	Lanes       int
	Memory      int64
	ReadMax     uint32
	WriteMax    uint32
	// Notes say what the exports have to do without, and why.
	Notes []string
}

// Info returns what New has settled. It may be called at any time.
func (s *Server) Info() Info {
	i := Info{
		Kernel: s.kernel, Features: s.features, Addrs: s.cfg.Listen,
		Port: s.cfg.Port, MountPort: s.cfg.MountPort, PortmapWhy: s.sockets.why,
		Exports: s.cfg.Exports, Lanes: s.cfg.Lanes, Memory: s.cfg.Memory,
		ReadMax: s.cfg.ReadMax, WriteMax: s.cfg.WriteMax,
	}
	if len(s.sockets.portmap) > 0 {
		i.PortmapPort = PortmapPort
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
			if !slices.Contains(i.Notes, w) { // it is the process that lacks something, so all exports do
				i.Notes = append(i.Notes, w)
			}
		}
	}
	return i
}
