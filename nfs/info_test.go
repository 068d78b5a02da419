package nfs

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

func TestExportsWithCoarseTimeStampsAreNamedWhenVersion4IsServed(t *testing.T) {
	state := t.TempDir()
	require.NoError(t, os.Chmod(state, 0o700))
	require.NoError(t, os.Chmod(filepath.Dir(state), 0o700))
	notes := func(v Versions) []string {
		s, err := New(Config{
			Exports: []Export{
				{Dir: "/fine", FS: memfs.New(memfs.Config{})},
				{Dir: "/coarse", FS: memfs.New(memfs.Config{Tick: time.Second})},
			},
			StateDir: state, Portmap: PortmapOff, Versions: v,
		})
		require.NoError(t, err)
		defer func() { require.NoError(t, s.Close()) }()
		return s.Info().Notes
	}
	note := coarseNotes([]Export{{Dir: "/coarse", FS: memfs.New(memfs.Config{Tick: 1})}})
	require.Len(t, note, 1)
	require.Contains(t, notes(NFSv3|NFSv42), note[0])
	require.NotContains(t, notes(NFSv3), note[0])
	for _, n := range notes(NFSv42) {
		require.NotContains(t, n, "/fine")
	}
}
