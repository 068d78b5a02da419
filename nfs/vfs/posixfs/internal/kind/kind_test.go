package kind

import (
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestStampsThatWereSeenTellTheCoarsestThatTheyCanBe(t *testing.T) {
	stamps := func(ns ...uint32) *unix.Statx_t {
		return &unix.Statx_t{
			Atime: unix.StatxTimestamp{
				Sec:  2,
				Nsec: ns[0],
			}, Mtime: unix.StatxTimestamp{Sec: int64(ns[3]), Nsec: ns[1]},
			Ctime: unix.StatxTimestamp{Sec: 4, Nsec: ns[2]},
		}
	}
	fuse := func(st *unix.Statx_t) vfs.Time { return seenTimes(unix.FUSE_SUPER_MAGIC, st) }
	require.Equal(t, vfs.Time{Sec: 2}, fuse(stamps(0, 0, 0, 8)))
	require.Equal(t, vfs.Time{Sec: 1}, fuse(stamps(0, 0, 0, 7)))
	require.Equal(t, vfs.Time{Nsec: 1e8}, fuse(stamps(0, 5e8, 0, 8)))
	require.Equal(t, vfs.Time{Nsec: 100}, fuse(stamps(0, 5e8, 123_456_700, 8)))
	require.Equal(t, vfs.Time{Nsec: 1}, fuse(stamps(0, 1, 0, 8)))
	require.Equal(t, vfs.Time{Nsec: 1}, seenTimes(unix.XFS_SUPER_MAGIC, stamps(0, 0, 0, 8)))
	ext4 := func(st *unix.Statx_t) vfs.Time { return seenTimes(unix.EXT4_SUPER_MAGIC, st) }
	require.Equal(t, vfs.Time{Sec: 2}, ext4(stamps(0, 0, 0, 8)))
	born := stamps(0, 0, 0, 8)
	born.Mask = unix.STATX_BTIME
	require.Equal(t, vfs.Time{Nsec: 1}, ext4(born))
}

func TestWhatFATLacksIsNotClaimed(t *testing.T) {
	long := LimitsOf(unix.MSDOS_SUPER_MAGIC, &unix.Statfs_t{Namelen: 1530})
	require.False(t, long.HardLinks || long.SymbolicLinks || long.CanSetTime)
	require.True(t, long.CaseInsensitive && long.CasePreserving && long.NoTrunc)
	require.EqualValues(t, 1, long.LinkMax)
	require.EqualValues(t, 4<<30-1, long.FileSizeMax)
	require.Equal(t, vfs.Time{Sec: 2}, long.TimeDelta)
	short := LimitsOf(unix.MSDOS_SUPER_MAGIC, &unix.Statfs_t{Namelen: 12})
	require.False(t, short.CasePreserving || short.NoTrunc)
	ex := LimitsOf(unix.EXFAT_SUPER_MAGIC, &unix.Statfs_t{Namelen: 255})
	require.False(t, ex.HardLinks || ex.SymbolicLinks)
	require.Greater(t, ex.FileSizeMax, long.FileSizeMax)
}

func TestWhatIsKeptOfAStampTellsItsResolution(t *testing.T) {
	at := func(sec int64, nsec uint32) unix.StatxTimestamp { return unix.StatxTimestamp{Sec: sec, Nsec: nsec} }
	for want, got := range map[vfs.Time]unix.StatxTimestamp{
		{Nsec: 1}: at(1_600_000_001, 123_456_789), {Nsec: 100}: at(1_600_000_001, 123_456_700),
		{Nsec: 1000}:       at(1_600_000_001, 123_456_000),
		{Nsec: 10_000_000}: at(1_600_000_001, 120_000_000), {Sec: 1}: at(1_600_000_001, 0),
		{Sec: 2}: at(1_600_000_000, 0),
	} {
		require.Equal(t, want, resolution(got))
	}
}
