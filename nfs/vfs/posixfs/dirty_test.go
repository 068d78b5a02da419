package posixfs

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestDirtyPagesAreReadFromVmstat(t *testing.T) {
	dirty, limit, ok := dirtyPages([]byte("nr_free_pages 7\nnr_dirty 50\nnr_writeback 40\nnr_writeback_temp 1000\nnr_dirty_threshold 300\nnr_dirty_background_threshold 100\nnr_dirtied 5\n"))
	require.True(t, ok)
	require.EqualValues(t, 90, dirty)
	require.EqualValues(t, 200, limit)
	for _, text := range []string{"", "nr_dirty 90\n", "nr_dirty 90\nnr_dirty_threshold 300\nnr_dirty_background_threshold 100\n", "nr_dirty x\nnr_writeback 0\nnr_dirty_threshold 300\nnr_dirty_background_threshold 100\n"} {
		_, _, ok = dirtyPages([]byte(text))
		require.False(t, ok, text)
	}
	real, err := os.ReadFile("/proc/vmstat")
	require.NoError(t, err)
	_, limit, ok = dirtyPages(real)
	require.True(t, ok, "this kernel tells it otherwise")
	require.NotZero(t, limit)
}

func TestLanesLeaveWritingToTheWorkersWhileMuchMemoryIsDirty(t *testing.T) {
	dir := loopDir(t, 64, "mkfs.ext4", "-q")
	s := serve(t, dir, Config{Writes: WriteInline}, options{})
	s.patient()
	s.write("f", string(make([]byte, 8192)), 0o644)
	h := s.lookup("f")
	s.warm(h)
	require.Equal(t, vfs.OK, s.laneWrite(h, 0, 4096, vfs.Unstable))
	s.fs.writes.dirtied(749, 1000)
	require.Equal(t, vfs.OK, s.laneWrite(h, 0, 4096, vfs.Unstable))
	now := s.fs.writes.clock()
	s.fs.writes.dirtied(750, 1000)
	require.GreaterOrEqual(t, s.fs.writes.until.Load(), now+dirtyPause)
	require.False(t, s.fs.writes.may(now+dirtyPause-1))
	require.True(t, s.fs.writes.may(s.fs.writes.until.Load()))
	// A long pause is not made shorter.
	s.fs.writes.until.Store(now + pauseMax)
	s.fs.writes.dirtied(1000, 1000)
	require.Equal(t, now+pauseMax, s.fs.writes.until.Load())
}

func TestALaneThatWritesMuchHasTheJanitorLook(t *testing.T) {
	fs := &FS{soiled: make(chan struct{}, 1)}
	v := &View{fs: fs}
	v.count(dirtyEvery - 1)
	require.Empty(t, fs.soiled)
	v.count(1)
	require.Len(t, fs.soiled, 1)
	v.count(3 * dirtyEvery) // it does not wait for the janitor
	require.Len(t, fs.soiled, 1)
}
