package endtoend

import (
	"net/netip"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

func TestAnExportInAnotherThatGrantsMoreIsRefused(t *testing.T) {
	needRing(t)
	noLeaks(t)
	outer := exportDir(t)
	inner, beside := filepath.Join(outer, "in", "ner"), filepath.Join(outer, "in", "nerve")
	require.NoError(t, os.MkdirAll(inner, 0o755))
	require.NoError(t, os.MkdirAll(beside, 0o755))
	link := filepath.Join(t.TempDir(), "link")
	require.NoError(t, os.Symlink(inner, link))
	nets := func(s ...string) (p []netip.Prefix) {
		for _, n := range s {
			p = append(p, netip.MustParsePrefix(n))
		}
		return p
	}
	for name, c := range map[string]struct {
		outer, inner nfs.Export
		refused      string
	}{
		"the same":                    {outer: nfs.Export{Dir: outer}, inner: nfs.Export{Dir: inner}},
		"read-only inside":            {nfs.Export{Dir: outer}, nfs.Export{Dir: inner, ReadOnly: true}, "read-only"},
		"read-only inside, by a link": {nfs.Export{Dir: outer}, nfs.Export{Dir: link, ReadOnly: true}, "read-only"},
		"writable inside":             {outer: nfs.Export{Dir: outer, ReadOnly: true}, inner: nfs.Export{Dir: inner}},
		"fewer clients inside": {
			nfs.Export{Dir: outer, Allow: nets("10.0.0.0/8")}, nfs.Export{Dir: inner, Allow: nets("10.1.0.0/16")}, "10.0.0.0/8",
		},
		"other clients inside": {
			nfs.Export{Dir: outer, Allow: nets("10.1.0.0/16", "fd00::/8")}, nfs.Export{Dir: inner, Allow: nets("10.0.0.0/8")}, "fd00::/8",
		},
		"more clients inside": {
			outer: nfs.Export{Dir: outer, Allow: nets("10.1.0.0/16")}, inner: nfs.Export{Dir: inner, Allow: nets("10.0.0.0/8")},
		},
		"root squashed inside":   {nfs.Export{Dir: outer, Squash: export.SquashNone}, nfs.Export{Dir: inner}, "squashes"},
		"another anonymous user": {nfs.Export{Dir: outer}, nfs.Export{Dir: inner, AnonUID: 1000}, "squashes"},
		"nobody squashed inside": {outer: nfs.Export{Dir: outer}, inner: nfs.Export{Dir: inner, Squash: export.SquashNone}},
		"beside each other":      {outer: nfs.Export{Dir: beside}, inner: nfs.Export{Dir: inner, ReadOnly: true}},
		"one directory twice":    {outer: nfs.Export{Dir: inner}, inner: nfs.Export{Dir: link, ReadOnly: true}},
	} {
		for _, exports := range [][]nfs.Export{{c.outer, c.inner}, {c.inner, c.outer}} {
			cfg := config(t, outer)
			cfg.Exports = exports
			srv, err := nfs.New(cfg)
			if c.refused != "" {
				require.ErrorContains(t, err, "lies in export", name)
				require.ErrorContains(t, err, c.refused, name)
				continue
			}
			require.NoError(t, err, name)
			require.NoError(t, srv.Close())
		}
	}
}

// Clients do not see through an export what is mounted inside it.
func TestAnotherFileSystemInAnExportMayHaveOptionsOfItsOwn(t *testing.T) {
	needRing(t)
	needRoot(t)
	noLeaks(t)
	outer := exportDir(t)
	inner := filepath.Join(outer, "inner")
	require.NoError(t, os.Mkdir(inner, 0o755))
	mountAt := func(source, fs string, flags uintptr) {
		require.NoError(t, unix.Mount(source, inner, fs, flags, ""))
		disktest.UnmountAtEnd(t, inner)
	}
	mountAt("tmpfs", "tmpfs", 0)
	cfg := config(t, outer)
	cfg.Exports = append(cfg.Exports, nfs.Export{Dir: inner, ReadOnly: true})
	srv, err := nfs.New(cfg)
	require.NoError(t, err)
	require.NoError(t, srv.Close())

	mountAt(outer, "", unix.MS_BIND)
	srv, err = nfs.New(cfg)
	if err == nil {
		require.NoError(t, srv.Close())
	}
	require.ErrorContains(t, err, "lies in export", "the same file system is")
}
