package export

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

func TestNodesHaveHandlesThatNoExportOpens(t *testing.T) {
	fs := memfs.New(memfs.Config{})
	table, err := NewTable(Key{1}, 1, []Export{{Path: "/a", FS: fs}})
	require.NoError(t, err)
	defer func() { require.NoError(t, table.Close()) }()
	other, err := NewTable(Key{2}, 1, nil)
	require.NoError(t, err)
	for _, n := range []uint64{0, 1, math.MaxUint64} {
		fh := table.SealNode(n, nil)
		require.True(t, IsNode(fh))
		require.LessOrEqual(t, len(fh), WireMax)
		got, s := table.OpenNode(fh)
		require.Equal(t, vfs.OK, s)
		require.Equal(t, n, got)
		_, _, s = table.Open(fh)
		require.Equal(t, vfs.Stale, s, "what knows no nodes finds it stale")
		_, s = other.OpenNode(fh)
		require.Equal(t, vfs.Stale, s, "another server's")
		for i := range fh {
			bad := append([]byte(nil), fh...)
			bad[i] ^= 1
			_, s = table.OpenNode(bad)
			require.NotEqual(t, vfs.OK, s, "byte %d", i)
		}
		_, s = table.OpenNode(fh[:len(fh)-1])
		require.Equal(t, vfs.BadHandle, s)
	}
	root := fs.Root()
	require.False(t, IsNode(table.Seal(table.Exports()[0], &root, nil)))
}

func TestNoExportHasTheNodesIdentity(t *testing.T) {
	fs := memfs.New(memfs.Config{})
	defer func() { require.NoError(t, fs.Close()) }()
	_, err := NewTable(Key{1}, 1, []Export{{Path: "/a", ID: math.MaxUint32, FS: fs}})
	require.ErrorContains(t, err, "reserved")
}
