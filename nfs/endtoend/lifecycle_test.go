package endtoend

import (
	"bytes"
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// closeFS counts how often it is closed.
type closeFS struct {
	vfs.FS
	closed atomic.Int32
}

func (f *closeFS) Close() error {
	f.closed.Add(1)
	return f.FS.Close()
}

func TestWhatCannotBeServedLeavesNothingOpen(t *testing.T) {
	needRing(t)
	dir := exportDir(t)
	file := filepath.Join(dir, "file")
	require.NoError(t, os.WriteFile(file, nil, 0o600))
	running := start(t, config(t, dir))
	running.dial().Null() // it has all its threads
	for name, x := range map[string]struct {
		change func(*nfs.Config)
		says   string
	}{
		"nothing":         {func(c *nfs.Config) { c.Exports = nil }, "nothing to export"},
		"no state":        {func(c *nfs.Config) { c.StateDir = "" }, "StateDir"},
		"state in a file": {func(c *nfs.Config) { c.StateDir = file }, file},
		"damaged key": {func(c *nfs.Config) {
			entries, err := os.ReadDir(running.cfg.StateDir)
			require.NoError(t, err)
			for _, e := range entries {
				require.NoError(t, os.WriteFile(filepath.Join(c.StateDir, e.Name()), []byte("short"), 0o600))
			}
		}, "key"},
		"no such directory":       {func(c *nfs.Config) { c.Exports[1].Dir = dir + "/none" }, dir + "/none"},
		"a file":                  {func(c *nfs.Config) { c.Exports[1].Dir = file }, file},
		"no handles":              {func(c *nfs.Config) { c.Exports[1].Dir = "/proc" }, "/proc"},
		"twice":                   {func(c *nfs.Config) { c.Exports[1].Dir = c.Exports[0].Dir }, "twice"},
		"the port is taken":       {func(c *nfs.Config) { c.Port = running.Info().Port }, strconv.Itoa(running.Info().Port)},
		"the MOUNT port is taken": {func(c *nfs.Config) { c.MountPort = running.Info().Port }, "MOUNT"},
		"port 70000":              {func(c *nfs.Config) { c.Port = 70000 }, "70000"},
		"another's address":       {func(c *nfs.Config) { c.Listen = []netip.Addr{netip.MustParseAddr("192.0.2.1")} }, "192.0.2.1"},
		"too little memory":       {func(c *nfs.Config) { c.Memory = 1 << 20 }, "memory"},
		"no such feature":         {func(c *nfs.Config) { c.Without = []string{"MAGIC"} }, "MAGIC"},
		"too many lanes":          {func(c *nfs.Config) { c.Lanes = 5000 }, "lanes"},
		"an odd READ":             {func(c *nfs.Config) { c.ReadMax = 5000 }, "READ"},
	} {
		t.Run(name, func(t *testing.T) {
			noLeaks(t)
			fs := &closeFS{FS: memfs.New(memfs.Config{})}
			cfg := config(t, dir)
			cfg.Exports = append(
				cfg.Exports,
				nfs.Export{Dir: exportDir(t)},
				nfs.Export{Dir: "/memory", FS: fs},
			)
			x.change(&cfg)
			given := len(cfg.Exports) > 0
			_, err := nfs.New(cfg)
			require.Error(t, err)
			require.Contains(t, err.Error(), x.says)
			require.False(t, strings.Contains(err.Error(), "\n"), err)
			if given {
				require.EqualValues(t, 1, fs.closed.Load(), "what is handed over is closed once")
			}
		})
	}
	running.dial().Null()
}

func TestAServerServesOnce(t *testing.T) {
	needRing(t)
	noLeaks(t)
	fs := &closeFS{FS: memfs.New(memfs.Config{})}
	cfg := config(t, "/memory")
	cfg.Exports = []nfs.Export{{Dir: "/memory", FS: fs}}
	unused, err := nfs.New(cfg)
	require.NoError(t, err)
	require.NoError(t, unused.Drain(context.Background()))
	require.NoError(t, unused.Close())
	require.NoError(t, unused.Serve(context.Background()), "a signal may come before Serve does")
	require.EqualValues(t, 1, fs.closed.Load())

	cfg.Exports[0].FS = memfs.New(memfs.Config{})
	s := start(t, cfg)
	s.dial().Null()
	require.ErrorIs(t, s.Serve(context.Background()), nfs.ErrUsed)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() { _ = s.Close() })
		wg.Go(func() { _ = s.Drain(context.Background()) })
	}
	wg.Wait()
}

// When the server is ready, it has opened the descriptors that it needs for itself. So a later
// count shows only those that clients cause.
func TestAServerThatIsReadyOpensNothingMore(t *testing.T) {
	s, _ := serveDir(t)
	<-s.Ready()
	before := len(descriptors(t))
	t.Run("clients", func(t *testing.T) {
		for range 20 {
			nfstest.Dial(t, s.addr()).Null()
		}
	})
	eventually(t, func() bool { return len(descriptors(t)) <= before }, "descriptors")
}

func TestServeEndsWithItsContext(t *testing.T) {
	needRing(t)
	noLeaks(t)
	srv, err := nfs.New(config(t, exportDir(t)))
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error)
	go func() { served <- srv.Serve(ctx) }()
	c := nfstest.Dial(t, netip.AddrPortFrom(srv.Info().Addrs[0], uint16(srv.Info().Port)).String())
	c.Null()
	cancel()
	require.NoError(t, <-served)
	<-c.Done()
}

// Calls that have been received are answered, and data that was written is there.
func TestDrainingFinishesCallsAndTakesNoMore(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	idle := s.dial()
	idle.Null()
	parents := []fh{root, mkdir(t, c, root, "d", 0o755), mkdir(t, c, root, "e", 0o755)}
	gate := faultfs.NewGate()
	t.Cleanup(gate.Open)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Mkdir}, Threads: faultfs.WorkerOnly, Gate: gate})
	var pending []*nfstest.Pending
	start := func(dir fh, name string) {
		pending = append(
			pending,
			c.Start(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: nfstest.At(dir, name)}),
		)
	}
	for _, dir := range parents {
		start(dir, "a")
		<-gate.Entered()
	}
	start(root, "b") // waits for the first
	c.Null()         // it has come in
	drained := make(chan error)
	go func() { drained <- s.Drain(context.Background()) }()
	<-idle.Done() // no more is read from now on
	late := c.Start(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: nfstest.At(root, "late")})
	gate.Open()
	for _, p := range pending {
		ok(t, waitStatus(t, nfs3.NFSPROC3_MKDIR, p))
	}
	_, err := late.Wait()
	require.ErrorIs(t, err, nfstest.ErrNoReply)
	require.NoError(t, <-drained)
	_, err = nfstest.TryDial(t, "", s.addr())
	require.ErrorIs(t, err, unix.ECONNREFUSED)
}

func TestClosingDoesNotWaitForClients(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	gate := faultfs.NewGate()
	t.Cleanup(gate.Open)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Mkdir}, Threads: faultfs.WorkerOnly, Gate: gate})
	p := c.Start(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: nfstest.At(root, "a")})
	<-gate.Entered()
	closed := make(chan error)
	go func() { closed <- s.Close() }()
	_, err := p.Wait()
	require.ErrorIs(t, err, nfstest.ErrNoReply, "dropped at once")
	gate.Open()
	require.NoError(t, <-closed, "the call has run to its end")
}

func TestAnExportThatIsRemovedIsStale(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	require.NoError(t, os.Rename(dir, dir+"moved"))
	put(t, c, root, "file", []byte("content"))
	require.Equal(t, []string{"file"}, c.Names(root), "a name is not what is exported")
	require.NoError(t, os.RemoveAll(dir+"moved"))
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Getattr(root).Status)
	require.Equal(t, nfs3.NFS3ERR_STALE, c.Lookup(root, "file").Status)
	_, st := nfstest.Mount(c, dir)
	require.Equal(t, mount3.MNT3ERR_NOENT, st)
	c.Null()
}

func TestBothLoopbackAddressesAreServedByDefault(t *testing.T) {
	noLeaks(t)
	cfg := config(t, exportDir(t))
	cfg.Listen = nil
	s := start(t, cfg)
	for _, a := range s.Info().Addrs {
		at := netip.AddrPortFrom(a, uint16(s.Info().Port)).String()
		c := nfstest.Dial(t, at)
		root := mnt(t, c, cfg.Exports[0].Dir)
		require.Equal(t, root, mnt(t, nfstest.DialDatagram(t, at), cfg.Exports[0].Dir))
		ok(t, c.Getattr(root).Status)
	}
	if len(s.Info().Addrs) == 1 {
		t.Skip("needs the address ::1 for its second half")
	}
}

// The ways of data that older kernels leave carry the same data.
func TestItWorksWithoutEachOptionalFeature(t *testing.T) {
	needRing(t)
	sets := [][]string{nil}
	srv, err := nfs.New(config(t, exportDir(t)))
	require.NoError(t, err)
	for _, f := range srv.Info().Features {
		if f.On {
			sets = append(sets, []string{f.Name})
		}
	}
	require.NoError(t, srv.Close())
	sets = append(
		sets,
		[]string{
			"PBUF_RING_INC",
			"RECVSEND_BUNDLE",
			"SEND_VECTORIZED",
			"NO_SQARRAY",
			"REGISTERED_RING",
			"NO_IOWAIT",
		},
	)
	data := make([]byte, 1<<20)
	for i := range data {
		data[i] = byte(i) ^ byte(i>>10)
	}
	for _, without := range sets {
		t.Run(strings.Join(without, "+"), func(t *testing.T) {
			noLeaks(t)
			cfg := config(t, exportDir(t))
			cfg.Without = without
			srv, err := nfs.New(cfg)
			if err != nil {
				require.Len(t, without, 1, err)
				require.ErrorContains(
					t,
					err,
					without[0],
					"what is not optional is said before anything is served",
				)
				return
			}
			require.NoError(t, srv.Close())
			s := start(t, cfg)
			c, root := s.mount()
			f := create(t, c, root, "file", 0o644)
			var writes, reads []*nfstest.Pending
			for i := range uint64(4) {
				writes = append(
					writes,
					c.Start(nfs3.NFSPROC3_WRITE, nfstest.WriteArgs(f, i<<20, data, nfs3.UNSTABLE)),
				)
			}
			for _, p := range writes {
				ok(t, waitStatus(t, nfs3.NFSPROC3_WRITE, p))
			}
			for i := range uint64(4) {
				reads = append(reads, c.Start(nfs3.NFSPROC3_READ, nfstest.ReadArgs(f, i<<20, 1<<20)))
			}
			for _, p := range reads {
				var res nfs3.READ3res
				p.Into(&res)
				require.True(t, bytes.Equal(data, res.Resok.Data))
			}
		})
	}
}
