package endtoend

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// emptyRoot is a back end whose root has no handle.
type emptyRoot struct{ vfs.FS }

func (emptyRoot) Root() vfs.Handle { return vfs.Handle{} }

// holdsAnything has a type that can be compared, and may contain values that cannot.
type holdsAnything struct {
	vfs.FS
	any any
}

func TestAConfigurationThatIsWrongIsRefusedAndTheRemedyNamed(t *testing.T) {
	noLeaks(t)
	dir := exportDir(t)
	memory := func() vfs.FS { return memfs.New(memfs.Config{}) }
	first := func(x nfs.Export) func(*nfs.Config) {
		return func(c *nfs.Config) { c.Exports = []nfs.Export{x} }
	}
	listen := func(addrs ...netip.Addr) func(*nfs.Config) {
		return func(c *nfs.Config) { c.Listen = addrs }
	}
	shared := memory()
	odd := holdsAnything{memory(), []int{1}}
	for name, x := range map[string]struct {
		change func(*nfs.Config)
		says   string
	}{
		"the zero Export":           {first(nfs.Export{}), "Exports[0] has no Dir: give the directory to serve"},
		"no directory":              {first(nfs.Export{Dir: dir + "/missing"}), "make the directory, or correct its path"},
		"a NUL in the path":         {first(nfs.Export{Dir: dir + "\x00x"}), "NUL"},
		"an FS without a name":      {first(nfs.Export{FS: memory()}), "give the absolute path under which clients mount it"},
		"an FS with a relative one": {first(nfs.Export{Dir: "mem", FS: memory()}), `say "/mem"`},
		"a typed nil FS":            {first(nfs.Export{Dir: "/mem", FS: (*memfs.FS)(nil)}), "FS is a nil *memfs.FS: leave FS nil to serve the directory"},
		"a root without a handle":   {first(nfs.Export{Dir: "/mem", FS: emptyRoot{memory()}}), "a handle has 1 to 44 bytes"},
		"IO with FS":                {first(nfs.Export{Dir: "/mem", FS: memory(), IO: nfs.IODirect}), "leave IO out"},
		"an unknown IO":             {first(nfs.Export{Dir: dir, IO: 9}), "use IOBuffered, IODontCache, IODirect or IOAuto"},
		"an unknown squash":         {first(nfs.Export{Dir: dir, Squash: 9}), "use SquashRoot, SquashNone or SquashAll"},
		"nobody's user":             {first(nfs.Export{Dir: dir, AnonUID: 1<<32 - 1}), "use one below it, or 0 for 65534"},
		"nobody's group":            {first(nfs.Export{Dir: dir, AnonGID: 1<<32 - 1}), "use one below it, or 0 for 65534"},
		"the zero Prefix":           {first(nfs.Export{Dir: dir, Allow: make([]netip.Prefix, 1)}), "make it with netip.ParsePrefix"},
		"one FS for two exports": {func(c *nfs.Config) {
			c.Exports = []nfs.Export{{Dir: "/one", FS: shared}, {Dir: "/two", FS: shared}}
		}, "give each export one of its own"},
		"two that cannot be compared": {func(c *nfs.Config) {
			c.Exports = []nfs.Export{
				{Dir: "/one", FS: odd}, {Dir: "/two", FS: odd}, {Dir: "/three", FS: memory(), IO: nfs.IODirect},
			}
		}, "leave IO out"},
		"the zero Addr":             {listen(netip.Addr{}), "leave Listen empty for this machine alone"},
		"an address twice":          {listen(netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.1")), "once is enough"},
		"a group's address":         {listen(netip.MustParseAddr("ff02::1")), "give one that this machine has"},
		"the broadcast address":     {listen(netip.MustParseAddr("255.255.255.255")), "give one that this machine has"},
		"an unknown portmap mode":   {func(c *nfs.Config) { c.Portmap = 9 }, "use PortmapAuto, PortmapOn or PortmapOff"},
		"an unknown read path":      {func(c *nfs.Config) { c.ReadPath = 9 }, "use ReadAuto, ReadCopy, ReadSplice or ReadZeroCopy"},
		"an unknown write path":     {func(c *nfs.Config) { c.WritePath = 9 }, "use WriteAuto, WriteWorker or WriteInline"},
		"the port mapper's port":    {func(c *nfs.Config) { c.Port, c.Portmap = 111, nfs.PortmapOn }, "choose another port, or PortmapOff"},
		"no state directory":        {func(c *nfs.Config) { c.StateDir = "" }, "give a directory of the server's own"},
		"a negative port":           {func(c *nfs.Config) { c.Port = -1 }, "ports are 0 to 65535"},
		"a negative count of lanes": {func(c *nfs.Config) { c.Lanes = -1 }, "there can be 1 to 1024"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t, dir)
			x.change(&cfg)
			srv, err := nfs.New(cfg)
			if err == nil {
				_ = srv.Close()
			}
			require.ErrorContains(t, err, x.says)
			require.NotContains(t, err.Error(), "\n")
		})
	}
}

func TestMountOnThePortOfNFSIsTogetherWithIt(t *testing.T) {
	noLeaks(t)
	needRing(t)
	// This is an address on which nobody else takes the port between the two servers.
	cfg := config(t, exportDir(t))
	cfg.Listen = []netip.Addr{netip.MustParseAddr("127.83.71.9")}
	srv, err := nfs.New(cfg)
	require.NoError(t, err)
	cfg.Port = srv.Info().Port
	require.NoError(t, srv.Close())
	cfg.MountPort = cfg.Port
	start(t, cfg)
	c := nfstest.Dial(t, netip.AddrPortFrom(cfg.Listen[0], uint16(cfg.Port)).String())
	require.Empty(t, c.Names(mnt(t, c, cfg.Exports[0].Dir)))
}
