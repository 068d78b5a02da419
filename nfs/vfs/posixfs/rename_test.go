package posixfs

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// A RENAME within a directory asks for the directory's attributes once before and once after. So
// what it tells of the old place and of the new one is the same, whatever others do meanwhile.
func TestARenameWithinADirectoryTellsTheSameOfItTwice(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	t.Cleanup(s.close)
	s.write("a", "", 0o644)
	s.write("target", "", 0o644)
	var end atomic.Bool
	done := make(chan struct{})
	go func() { // the directory's atime never stays the same for long
		defer close(done)
		for n := int64(1); !end.Load(); n++ {
			at := []unix.Timespec{{Sec: n}, {Sec: n}}
			_ = unix.UtimesNanoAt(unix.AT_FDCWD, s.dir, at, 0)
		}
	}()
	defer func() { end.Store(true); <-done }()
	names := [2]string{"a", "b"}
	rename := func(v *View, from, to string) (wf, wt vfs.WCC, st vfs.Status) {
		st = v.Rename(s.root(), &vfs.RenameArgs{
			From: s.fs.Root(), FromName: []byte(from), To: s.fs.Root(), ToName: []byte(to),
		}, &wf, &wt)
		return wf, wt, st
	}
	s.w.do(func(v *View) {
		for i := range 3000 {
			wf, wt, st := rename(v, names[i%2], names[(i+1)%2])
			require.Equal(t, vfs.OK, st)
			require.NotZero(t, wf.After.Mask)
			require.Equal(t, wf, wt)
		}
		wf, wt, st := rename(v, "none", "target")
		require.Equal(t, vfs.NoEnt, st)
		require.NotZero(t, wf.After.Mask)
		require.Equal(t, wf, wt)
	})
}
