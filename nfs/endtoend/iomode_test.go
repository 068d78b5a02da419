package endtoend

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
)

func TestEveryIOModeServesWhatClientsWrite(t *testing.T) {
	for i, mode := range []nfs.IOMode{nfs.IOBuffered, nfs.IODontCache, nfs.IODirect, nfs.IOAuto} {
		for j, path := range []string{"copy", "splice"} {
			if again.Now() && i%2 != j {
				continue // each mode and each path once
			}
			t.Run(mode.String()+" "+path, func(t *testing.T) {
				noLeaks(t)
				dir := exportDir(t)
				cfg := config(t, dir)
				cfg.Exports[0].IO = mode
				var err error
				cfg.ReadPath, err = nfs.ParseReadPath(path)
				require.NoError(t, err)
				if srv, err := nfs.New(cfg); err != nil && strings.Contains(err.Error(), "I/O mode") {
					t.Skip(err)
				} else if err == nil {
					require.NoError(t, srv.Close())
				}
				s := start(t, cfg)
				c, root := s.mount()
				f := create(t, c, root, "file", 0o644)
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				rng := rand.New(rand.NewPCG(seed, 1))
				want := make([]byte, 3<<20)
				for i := range want {
					want[i] = byte(rng.Uint32())
				}
				for off := 0; off < len(want); {
					n := min(1+rng.IntN(700_000), len(want)-off)
					res := c.Write(f, uint64(off), want[off:off+n], nfs3.StableHow(rng.IntN(3)))
					ok(t, res.Status)
					off += int(res.Resok.Count)
				}
				ok(t, c.Commit(f, 0, 0).Status)
				for range 20 {
					off, n := rng.IntN(len(want)), 1+rng.IntN(1<<20)
					if rng.IntN(2) == 0 {
						off, n = off&^4095, 1<<20
					}
					for n = min(n, len(want)-off); n > 0; {
						res := c.Read(f, uint64(off), uint32(n))
						ok(t, res.Status)
						got := res.Resok.Data
						require.NotEmpty(t, got)
						require.True(t, bytes.Equal(want[off:off+len(got)], got), "%d at %d", n, off)
						off, n = off+len(got), n-len(got)
						require.Equal(t, off == len(want), res.Resok.Eof)
					}
				}
				got, err := os.ReadFile(filepath.Join(dir, "file"))
				require.NoError(t, err)
				require.True(t, bytes.Equal(want, got))
			})
		}
	}
}

func TestAnIOModeThatAnExportCannotHaveEndsTheStart(t *testing.T) {
	noLeaks(t)
	needRing(t)
	dir := memoryDir(t)
	cfg := config(t, exportDir(t))
	cfg.Exports = append(cfg.Exports, nfs.Export{Dir: dir, IO: nfs.IODirect})
	_, err := nfs.New(cfg)
	require.ErrorContains(t, err, "I/O mode direct")
	require.ErrorContains(t, err, dir)
	require.NotContains(t, err.Error(), "\n")
	cfg.Exports[1].IO = nfs.IOAuto
	srv, err := nfs.New(cfg)
	require.NoError(t, err)
	require.Contains(t, strings.Join(srv.Info().Notes, "\n"), "I/O mode auto is buffered for "+dir)
	require.NoError(t, srv.Close())
}
