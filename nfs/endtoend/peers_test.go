package endtoend

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/notice"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// Two users who are in no system's database, so that they have nobody's group.
const carol, dave, nobodysGroup = 61001, 61002, 65534

// logged is a log that the test can read.
type logged struct {
	mu  sync.Mutex
	out bytes.Buffer // guarded by mu
	q   *notice.Queue
}

func (l *logged) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

// String returns all that has been logged.
func (l *logged) String() string {
	l.q.Flush(time.Hour)
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.String()
}

func (l *logged) logger() *slog.Logger {
	l.q = notice.Behind(slog.NewTextHandler(l, nil)) // the server takes it as it is
	return slog.New(l.q)
}

// lines returns the lines that have all the words in them.
func (l *logged) lines(words ...string) (found []string) {
	for line := range strings.Lines(l.String()) {
		all := true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			found = append(found, line)
		}
	}
	return found
}

// denied asserts that a call is refused because of its caller.
func denied(t *testing.T, c nfstest.Caller, prog, vers, proc uint32, args []byte, why string) {
	t.Helper()
	r := c.Raw(prog, vers, proc, args)
	require.True(t, r.Denied, why)
	require.EqualValues(t, rpctest.AuthTooWeak, r.Auth, why)
}

func TestAUserOfThisMachineIsNobodyElse(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir := exportDir(t)
	var log logged
	cfg := config(t, dir)
	cfg.Listen = []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("::1")}
	cfg.Log = log.logger()
	s := start(t, cfg)
	root, top := s.mount()
	files := map[uint32]fh{}
	for _, id := range []uint32{0, carol, dave} {
		f := put(t, root, top, fmt.Sprint("of", id), []byte("private"))
		set := nfstest.Mode(0o600)
		set.Uid, set.Gid = nfs3.SetUid3{
			SetIt: true,
			Uid:   nfs3.Uid3(id),
		}, nfs3.SetGid3{
			SetIt: true,
			Gid:   nfs3.Gid3(id),
		}
		ok(t, root.Setattr(f, set, nil).Status)
		files[id] = f
	}
	port := s.Info().Port
	for _, addr := range []string{s.addr(), fmt.Sprintf("[::1]:%d", port), fmt.Sprintf("[::ffff:127.0.0.1]:%d", port)} {
		t.Run(addr, func(t *testing.T) {
			hers := nfstest.DialAs(t, carol, addr)
			read := func(of uint32) []byte {
				return nfstest.Bytes(t, &nfs3.READ3args{File: files[of], Offset: 0, Count: 10})
			}
			for _, as := range [][]uint32{
				{0, 0}, {dave, dave}, {carol, 0}, {carol, nobodysGroup, dave}, {carol, dave}, {carol, carol},
			} {
				c := hers.As(as[0], as[1], as[2:]...)
				denied(t, c, nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_READ, read(0), fmt.Sprint(as))
				denied(t, c, nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_READ, read(dave), fmt.Sprint(as))
				denied(
					t,
					c,
					mount3.MOUNT_PROGRAM,
					3,
					mount3.MOUNTPROC3_MNT,
					rpctest.Args(nil).String(dir),
					fmt.Sprint(as),
				)
				require.False(
					t,
					c.Raw(nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_NULL, nil).Denied,
					"NULL is nobody's",
				)
			}
			own := hers.As(carol, nobodysGroup)
			require.Equal(t, top, mnt(t, own, dir))
			require.Equal(t, "private", string(own.Read(files[carol], 0, 10).Resok.Data))
			require.Equal(t, nfs3.NFS3ERR_ACCES, own.Read(files[dave], 0, 10).Status)
			require.Equal(t, nfs3.NFS3ERR_ACCES, own.Read(files[0], 0, 10).Status)
			mnt(t, hers.Anonymous(), dir)
			require.Equal(t, nfs3.NFS3ERR_ACCES, hers.Anonymous().Read(files[carol], 0, 10).Status)
		})
	}
	require.Contains(t, log.String(), "its socket is user 61001's and it claims to be user 61002")
	require.Contains(t, log.String(), "it claims to be in group 61002, and user 61001 is not")
	require.Contains(t, log.String(), "log in as root")
	root2 := s.dial() // the server still believes what root says
	require.Equal(t, "private", string(root2.As(dave, dave).Read(files[dave], 0, 10).Resok.Data))
}

func TestAUserOfThisMachineIsNobodyElseByUDP(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir := exportDir(t)
	s := start(t, config(t, dir))
	args := rpctest.Args(nil).String(dir)
	denied(
		t,
		nfstest.DialDatagramAs(t, carol, s.addr()),
		mount3.MOUNT_PROGRAM,
		3,
		mount3.MOUNTPROC3_MNT,
		args,
		"as root",
	)
	_, st := nfstest.Mount(nfstest.DialDatagram(t, s.addr()), dir)
	require.Equal(t, mount3.MNT3_OK, st)
}

// For the kernel a socket that its process has closed belongs to root.
func TestCallsOfASocketThatIsClosedAreNotRoots(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir := exportDir(t)
	s := start(t, config(t, dir))
	_, top := s.mount()
	for i := range 60 {
		c := nfstest.DialAs(t, carol, s.addr())
		args := nfstest.Bytes(
			t,
			&nfs3.MKDIR3args{Where: nfs3.Diropargs3{Dir: top, Name: fmt.Appendf(nil, "d%d", i)}},
		)
		c.StartRaw(nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_MKDIR, args)
		if i%2 == 0 {
			c.Reset()
		} else {
			c.Close()
		}
	}
	s.stop()
	left, err := os.ReadDir(dir)
	require.NoError(t, err)
	require.Empty(t, left)
}

// A user may call from any of the machine's addresses.
func TestAUserOfThisMachineKeepsRootFromNothing(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir := exportDir(t)
	var log logged
	cfg := config(t, dir)
	cfg.Log = log.logger()
	// There is room for fewer connections than the user opens, and for more than the user may
	// have.
	var before unix.Rlimit
	require.NoError(t, unix.Getrlimit(unix.RLIMIT_NOFILE, &before))
	few := before
	few.Cur = uint64(len(descriptors(t)) + 600)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &few))
	s := start(t, cfg)
	require.NoError(t, unix.Setrlimit(unix.RLIMIT_NOFILE, &before))
	held := 0
	for i, kept := 0, true; kept; i++ {
		require.Less(t, i, 500, "she has them all")
		from := fmt.Sprintf("127.0.0.%d", i%250+2)
		c := nfstest.DialAsFrom(t, carol, from, s.addr())
		_, err := c.StartRaw(nfs3.NFS_PROGRAM, 3, nfs3.NFSPROC3_NULL, nil).Wait()
		if kept = err == nil; kept {
			held++
		}
	}
	require.Len(t, log.lines("too many connections of a user of this machine", "uid=61001", "remedy="), 1)
	require.Positive(t, held)
	for range held {
		s.dial().Null()
	}
}

func TestLocalProcessesCanBeTrusted(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir := exportDir(t)
	cfg := config(t, dir)
	cfg.TrustLocal = true
	s := start(t, cfg)
	c := nfstest.DialAs(t, carol, s.addr()) // as root
	mkdir(t, c, mnt(t, c, dir), "d", 0o700)
	require.DirExists(t, filepath.Join(dir, "d"))
}

// between is a server at one end of a veth pair, with clients at the other.
func between(t *testing.T, change func(*nfs.Config)) (l *nfstest.Veth, s *testServer, dir string) {
	t.Helper()
	needRing(t)
	l = nfstest.NewVeth(t)
	noLeaks(t)
	dir = exportDir(t)
	cfg := config(t, dir)
	cfg.Listen = []netip.Addr{netip.MustParseAddr(nfstest.VethServer), netip.MustParseAddr("127.0.0.1")}
	cfg.Exports[0].Allow = []netip.Prefix{
		netip.MustParsePrefix("10.111.77.0/24"),
		netip.MustParsePrefix("127.0.0.0/8"),
	}
	change(&cfg)
	l.In(l.Server, func() error { s = start(t, cfg); return nil })
	return l, s, dir
}

func TestPeersElsewhereNeedAReservedPort(t *testing.T) {
	var log logged
	l, s, dir := between(t, func(c *nfs.Config) { c.Log = log.logger() })
	addr := fmt.Sprintf("%s:%d", nfstest.VethServer, s.Info().Port)
	trusted := l.Dial(l.Peer, addr, true)
	top := mnt(t, trusted, dir)
	d := mkdir(t, trusted.As(dave, dave), top, "daves", 0o700)

	any := l.Dial(l.Peer, addr, false)
	_, st := nfstest.Mount(any, dir)
	require.Equal(t, mount3.MNT3ERR_ACCES, st)
	require.Equal(t, nfs3.NFS3ERR_ACCES, any.Getattr(d).Status, "with a handle, too")
	require.Equal(t, nfs3.NFS3ERR_ACCES, any.Anonymous().Getattr(top).Status)
	require.Len(t, nfstest.Exports(any), 1, "it may ask what there is")
	require.Empty(t, nfstest.Mounts(any.Anonymous())[1:], "and what its own machine has mounted")
	require.Contains(t, log.String(), "mount with resvport")
	require.Contains(t, log.String(), `msg="mount refused" peer=10.111.77.2`)
	require.Contains(t, log.String(), `msg=mounted peer=10.111.77.2`)

	// A client in the server's own namespace is on this machine, whichever of its addresses it
	// calls, and needs no reserved port.
	for _, to := range []string{addr, s.addr()} {
		mnt(t, l.Dial(l.Server, to, false), dir)
	}
}

// The link-local address of one end, seen from the other end, looks like a neighbour's.
func TestAPeerOnAnotherLinkOfThisMachineIsLocal(t *testing.T) {
	l, s, dir := between(t, func(c *nfs.Config) {
		c.Listen = []netip.Addr{netip.MustParseAddr("::")}
		c.Exports[0].Allow = []netip.Prefix{netip.MustParsePrefix("::/0")}
		c.Exports[0].Insecure = true
	})
	l.IP("-n", l.Server, "link", "add", "w0", "type", "veth", "peer", "name", "w1")
	for name, addr := range map[string]string{"w0": "fe80::a", "w1": "fe80::b"} {
		l.IP("-n", l.Server, "link", "set", name, "addrgenmode", "none")
		l.IP("-n", l.Server, "addr", "add", addr+"/64", "dev", name, "nodad")
		l.IP("-n", l.Server, "link", "set", name, "up")
	}
	l.IP("-n", l.Server, "-6", "route", "add", "fe80::b/128", "dev", "w0", "table", "main")
	var c *nfstest.Client
	l.In(l.Server, func() (err error) {
		c, err = nfstest.TryDial(t, "fe80::a%w0", fmt.Sprintf("[fe80::b%%w0]:%d", s.Info().Port))
		return err
	})
	denied(
		t,
		c.As(carol, nobodysGroup),
		mount3.MOUNT_PROGRAM,
		3,
		mount3.MOUNTPROC3_MNT,
		rpctest.Args(nil).String(dir),
		"its socket is not found on this link",
	)
}

func TestAnInsecureExportServesAnyPort(t *testing.T) {
	l, s, dir := between(t, func(c *nfs.Config) { c.Exports[0].Insecure = true })
	c := l.Dial(l.Peer, fmt.Sprintf("%s:%d", nfstest.VethServer, s.Info().Port), false)
	mkdir(t, c, mnt(t, c, dir), "d", 0o755)
}

func TestALogIsNotFloodedByWhoIsRefused(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir, shut := exportDir(t), exportDir(t)
	var log logged
	cfg := config(t, dir)
	cfg.Log = log.logger()
	cfg.Exports = append(
		cfg.Exports,
		nfs.Export{
			Dir:    shut,
			Squash: export.SquashNone,
			Allow:  []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")},
		},
	)
	s := start(t, cfg)
	c := nfstest.DialAs(t, carol, s.addr())
	own := c.As(carol, nobodysGroup)
	for range 500 {
		denied(t, c, mount3.MOUNT_PROGRAM, 3, mount3.MOUNTPROC3_MNT, rpctest.Args(nil).String(dir), "as root")
		_, st := nfstest.Mount(own, shut)
		require.Equal(t, mount3.MNT3ERR_ACCES, st)
		mnt(t, own, dir)
		nfstest.Unmount(own, dir)
	}
	for message, most := range map[string]int{"a process of this machine is refused": 20, "mount refused": 20, "msg=mounted": 200} {
		n := strings.Count(log.String(), message)
		require.Positive(t, n, message)
		require.LessOrEqual(t, n, most, message)
	}
}

func TestAListOfManyMountsIsAnswered(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir := exportDir(t)
	long := dir
	for len(long) < 1015 { // of 1,024 that the protocol allows; each client adds up to five
		long += "/" + strings.Repeat("x", min(200, 1015-len(long)))
	}
	require.NoError(t, os.MkdirAll(long, 0o755))
	var log logged
	cfg := config(t, dir)
	cfg.Log = log.logger()
	s := start(t, cfg)
	clients := 0
	for i := range 17 {
		c := nfstest.DialAs(t, 61100+i, s.addr()).Anonymous() // each user has some
		for range 64 {
			clients++
			path := fmt.Sprintf("%s/%d", long, clients)
			require.NoError(t, os.Mkdir(path, 0o755))
			mnt(t, c, path)
		}
	}
	c := s.dial()
	list := nfstest.Mounts(c)
	require.Greater(t, len(list), 900)
	require.Equal(t, fmt.Sprintf("%s/%d", long, clients), string(list[len(list)-1].MlDirectory))
	stranger := nfstest.DialAs(t, carol, s.addr()).As(carol, nobodysGroup)
	require.Empty(t, nfstest.Mounts(stranger), "of other users")
	require.NotContains(t, log.String(), "call abandoned")
}
