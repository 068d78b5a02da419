package endtoend

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

func TestMountAnswersByTCPAndUDP(t *testing.T) {
	s, dir := serveDir(t)
	c := s.dial()
	for name, caller := range map[string]nfstest.Caller{"TCP": c, "UDP": nfstest.DialDatagram(t, s.addr())} {
		root := mnt(t, caller, dir)
		require.Equal(t, nfs3.NF3DIR, getattr(t, c, root).Type)
		list := nfstest.Mounts(caller)
		require.Len(t, list, 1, name)
		require.Equal(t, dir, string(list[0].MlDirectory))
		require.Equal(t, "127.0.0.1", string(list[0].MlHostname))
		exports := nfstest.Exports(caller)
		require.Len(t, exports, 1)
		require.Equal(t, dir, string(exports[0].ExDir))
		nfstest.Unmount(caller, dir)
		require.Empty(t, nfstest.Mounts(caller), name)
		_, st := nfstest.Mount(caller, dir+"/none")
		require.Equal(t, mount3.MNT3ERR_NOENT, st)
		r := caller.Raw(mount3.MOUNT_PROGRAM, 3, 0, nil)
		require.EqualValues(t, rpctest.Success, r.Accept)
	}
	d := nfstest.DialDatagram(t, s.addr())
	require.EqualValues(t, rpctest.ProgUnavail, d.Raw(nfs3.NFS_PROGRAM, 3, 0, nil).Accept, "NFS is for TCP")
}

func TestMountHasAPortOfItsOwn(t *testing.T) {
	noLeaks(t)
	cfg := config(t, exportDir(t))
	_, port, err := net.SplitHostPort(freeAddr(t))
	require.NoError(t, err)
	cfg.MountPort, err = strconv.Atoi(port)
	require.NoError(t, err)
	s := start(t, cfg)
	require.NotEqual(t, s.Info().Port, s.Info().MountPort)
	require.Equal(t, cfg.MountPort, s.Info().MountPort)
	at := net.JoinHostPort("127.0.0.1", port)
	m := nfstest.Dial(t, at)
	root := mnt(t, m, cfg.Exports[0].Dir)
	require.Equal(t, root, mnt(t, nfstest.DialDatagram(t, at), cfg.Exports[0].Dir))
	require.EqualValues(t, rpctest.ProgUnavail, m.Raw(nfs3.NFS_PROGRAM, 3, 0, nil).Accept)
	c := s.dial()
	ok(t, c.Getattr(root).Status)
	require.EqualValues(t, rpctest.ProgUnavail, c.Raw(mount3.MOUNT_PROGRAM, 3, 0, nil).Accept)
}

// A MNT of a subdirectory or of a file gives no more rights than a MNT of the whole export.
func TestAMountOfASubdirectoryGivesTheSameRights(t *testing.T) {
	needRoot(t)
	noLeaks(t)
	dir := exportDir(t)
	for _, d := range []string{"ro/sub", "rw/sub"} {
		require.NoError(t, os.MkdirAll(filepath.Join(dir, d), 0o777))
		require.NoError(t, os.WriteFile(filepath.Join(dir, d, "file"), []byte("content"), 0o666))
		require.NoError(t, os.WriteFile(filepath.Join(dir, d, "secret"), []byte("content"), 0o600))
	}
	cfg := config(t, filepath.Join(dir, "ro"))
	cfg.Exports[0].ReadOnly, cfg.Exports[0].Squash = true, export.SquashRoot
	cfg.Exports = append(
		cfg.Exports,
		nfs.Export{Dir: filepath.Join(dir, "rw"), Squash: export.SquashAll, AnonUID: 70, AnonGID: 70},
	)
	s := start(t, cfg)
	c := s.dial()
	ro := mnt(t, c, dir+"/ro/sub")
	require.Equal(t, ro, lookup(t, c, mnt(t, c, dir+"/ro"), "sub"), "the same handle")
	file := mnt(t, c, dir+"/ro/sub/file")
	require.Equal(t, file, lookup(t, c, ro, "file"))
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Write(file, 0, []byte("x"), nfs3.UNSTABLE).Status)
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Create(ro, "new", nfs3.GUARDED, nfs3.Sattr3{}).Status)
	require.Equal(t, nfs3.NFS3ERR_ACCES, c.Read(lookup(t, c, ro, "secret"), 0, 10).Status, "root is squashed")
	rw := mnt(t, c, dir+"/rw/sub")
	ok(t, c.Lookup(rw, "file").Status)
	require.Equal(t, nfs3.NFS3ERR_ACCES, c.Read(lookup(t, c, rw, "secret"), 0, 10).Status)
	require.NoError(t, os.Chmod(filepath.Join(dir, "rw", "sub"), 0o777))
	require.EqualValues(t, 70, getattr(t, c, create(t, c, rw, "new", 0o644)).Uid)
	up := c.Lookup(rw, "..")
	ok(t, up.Status)
	require.Equal(t, mnt(t, c, dir+"/rw"), up.Resok.Object)
}

// The longest path decides which export a MNT means, and each export keeps its rights.
func TestNestedExportsAreKeptApart(t *testing.T) {
	noLeaks(t)
	outer := exportDir(t)
	inner := filepath.Join(outer, "a", "inner")
	require.NoError(t, os.MkdirAll(inner, 0o777))
	require.NoError(t, os.Chmod(inner, 0o777))
	require.NoError(t, os.WriteFile(filepath.Join(inner, "file"), []byte("content"), 0o666))
	cfg := config(t, outer)
	cfg.Exports[0].ReadOnly = true
	cfg.Exports = append(cfg.Exports, nfs.Export{Dir: inner, Squash: export.SquashNone})
	s := start(t, cfg)
	c := s.dial()
	in, out := mnt(t, c, inner), mnt(t, c, outer)
	create(t, c, in, "new", 0o644)
	through := lookup(t, c, lookup(t, c, out, "a"), "inner")
	require.NotEqual(t, in, through)
	require.Equal(t, nfs3.NFS3ERR_ROFS, c.Remove(through, "new").Status)
	require.ElementsMatch(t, []string{"file", "new"}, c.Names(through))
	up := c.Lookup(in, "..")
	ok(t, up.Status)
	require.Equal(t, in, up.Resok.Object, "the inner export does not lead to the outer one")
	require.Len(t, nfstest.Exports(c), 2)
	_, st := nfstest.Mount(c, "/")
	require.NotEqual(t, mount3.MNT3_OK, st, "/ means the only export, where there is only one")
}

func TestManyExportsAreServedTogether(t *testing.T) {
	noLeaks(t)
	cfg := config(t, exportDir(t))
	dirs := []string{cfg.Exports[0].Dir}
	for range 20 {
		dirs = append(dirs, exportDir(t))
		cfg.Exports = append(cfg.Exports, nfs.Export{Dir: dirs[len(dirs)-1], Squash: export.SquashNone})
	}
	s := start(t, cfg)
	c := s.dial()
	var files []fh
	for i, dir := range dirs {
		files = append(files, put(t, c, mnt(t, c, dir), "file", []byte(fmt.Sprint("in ", i))))
	}
	for i, f := range files {
		require.Equal(t, fmt.Sprint("in ", i), string(c.Read(f, 0, 100).Resok.Data))
	}
	require.Len(t, nfstest.Exports(c), len(dirs))
	require.Len(t, nfstest.Mounts(c), len(dirs))
}

// servePortmap serves with port 111, or skips the test if the server cannot have it.
func servePortmap(t *testing.T) *testServer {
	t.Helper()
	needRing(t)
	noLeaks(t)
	cfg := config(t, exportDir(t))
	cfg.Portmap = nfs.PortmapOn
	cfg.Listen = []netip.Addr{netip.MustParseAddr("127.0.0.1")}
	if srv, err := nfs.New(cfg); err != nil {
		t.Skipf("needs port 111: %v", err)
	} else {
		require.NoError(t, srv.Close())
	}
	return start(t, cfg)
}

func TestThePortmapperKnowsWhereEverythingIs(t *testing.T) {
	s := servePortmap(t)
	port := uint32(s.Info().Port)
	universal := func(port uint32) string { return fmt.Sprintf("127.0.0.1.%d.%d", port>>8, port&255) }
	for name, c := range map[string]nfstest.Caller{
		"TCP": nfstest.Dial(t, "127.0.0.1:111"), "UDP": nfstest.DialDatagram(t, "127.0.0.1:111"),
	} {
		t.Run(name, func(t *testing.T) {
			netid := strings.ToLower(name)
			require.Equal(t, port, nfstest.GetPort(c, nfs3.NFS_PROGRAM, 3, portmap.IPPROTO_TCP))
			require.Equal(t, port, nfstest.GetPort(c, mount3.MOUNT_PROGRAM, 3, portmap.IPPROTO_TCP))
			require.Equal(t, port, nfstest.GetPort(c, mount3.MOUNT_PROGRAM, 3, portmap.IPPROTO_UDP))
			require.Zero(t, nfstest.GetPort(c, nfs3.NFS_PROGRAM, 3, portmap.IPPROTO_UDP), "NFS is for TCP")
			require.EqualValues(t, 111, nfstest.GetPort(c, portmap.RPCBPROG, 2, portmap.IPPROTO_UDP))
			require.Zero(t, nfstest.GetPort(c, 100021, 4, portmap.IPPROTO_TCP), "NLM is not there")
			for _, vers := range []uint32{3, 4} {
				require.Equal(t, universal(port), nfstest.GetAddr(c, vers, mount3.MOUNT_PROGRAM, 3, netid))
				require.Equal(t, universal(port), nfstest.GetAddr(c, vers, nfs3.NFS_PROGRAM, 3, "tcp"))
				require.Empty(t, nfstest.GetAddr(c, vers, 100021, 4, netid))
				if netid == "udp" { // the list is much longer than the call
					require.EqualValues(t, rpctest.SystemErr, c.Raw(portmap.RPCBPROG, vers, 4, nil).Accept)
					continue
				}
				var nfsAt []string
				for _, e := range nfstest.DumpAddrs(c, vers) {
					if e.RpcbMap.RProg == nfs3.NFS_PROGRAM {
						nfsAt = append(nfsAt, string(e.RpcbMap.RNetid)+" "+string(e.RpcbMap.RAddr))
					}
				}
				require.Equal(t, []string{"tcp " + universal(port)}, nfsAt)
			}
			if netid == "tcp" {
				mounts := 0
				for _, m := range nfstest.DumpPorts(c) {
					if m.Map.Prog == mount3.MOUNT_PROGRAM {
						mounts++
						require.Equal(t, port, m.Map.Port)
					}
				}
				require.Equal(t, 6, mounts, "three versions by TCP and UDP")
			}
			r := c.Raw(portmap.RPCBPROG, 2, 1, rpctest.Args(nil).U32(100003, 3, 6, 4000)) // SET
			require.EqualValues(t, rpctest.Success, r.Accept)
			require.Equal(t, []byte{0, 0, 0, 0}, r.Results, "nothing is registered from outside")
			require.Equal(t, port, nfstest.GetPort(c, nfs3.NFS_PROGRAM, 3, portmap.IPPROTO_TCP))
		})
	}
}
