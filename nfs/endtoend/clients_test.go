package endtoend

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

func TestClientsThatAreNotAllowedAreRefused(t *testing.T) {
	noLeaks(t)
	mine, open := exportDir(t), exportDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(mine, "file"), []byte("secret"), 0o666))
	cfg := config(t, open)
	cfg.Exports = append(cfg.Exports, nfs.Export{
		Dir: mine, Squash: export.SquashNone, Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/31")},
	})
	s := start(t, cfg)
	friend := nfstest.DialFrom(t, "127.0.0.3", s.addr())
	root := mnt(t, friend, mine)
	f := lookup(t, friend, root, "file")
	ok(t, friend.Read(f, 0, 10).Status)
	stranger := s.dial()
	mnt(t, stranger, open)
	for _, path := range []string{mine, mine + "/file", mine + "/none"} {
		_, st := nfstest.Mount(stranger, path)
		require.Equal(t, mount3.MNT3ERR_ACCES, st, path)
	}
	for proc, args := range validArgs(root, f) {
		if args == nil {
			continue
		}
		require.Equal(t, nfs3.NFS3ERR_ACCES, status(t, stranger, uint32(proc), args), nfs3.NFSV3Names[proc])
	}
	require.Equal(t, "secret", string(friend.Read(f, 0, 10).Resok.Data))
	require.Equal(t, []string{"file"}, friend.Names(root))
}
