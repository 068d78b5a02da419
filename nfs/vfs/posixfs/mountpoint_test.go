package posixfs

import (
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/disktest"
)

// waitPaused waits until fs has noticed the last change of the mount table.
func waitPaused(t *testing.T, fs *FS, want bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); fs.paused.Load() != want; time.Sleep(time.Millisecond) {
		require.True(t, time.Now().Before(end), "not in time: paused is %v", want)
	}
}

func TestEveryViewPausesAndGoesOn(t *testing.T) {
	needRoot(t)
	for name, o := range map[string]options{
		"private": {}, "not private": {noPrivate: true}, "no handles": {noPrivate: true, noHandles: true}, "foreign": {foreign: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tmpfsDir(t), Config{}, o)
			beside := serve(t, tmpfsDir(t), Config{}, o)
			s.write("f", "content", 0o644)
			h := s.lookup("f")
			answers := func(r *runner) (st, walk vfs.Status) {
				var a vfs.Attr
				var e vfs.Entry
				r.do(func(v *View) {
					st = v.GetAttr(h, &a)
					walk = v.Walk(r.cred(0, 0), "f", &e)
				})
				return st, walk
			}
			lane, _ := answers(s.l)
			for range 2 {
				require.NoError(t, unix.Mount("none", s.dir, "tmpfs", 0, "size=1m"))
				unmount := disktest.UnmountAtEnd(t, s.dir)
				waitPaused(t, s.fs, true)
				late := newRunner(t, s.fs, true)
				leave := sync.OnceFunc(late.close)
				t.Cleanup(leave)
				for _, r := range []*runner{s.w, s.l, late} {
					st, walk := answers(r)
					require.Equal(t, vfs.Delay, st)
					require.Equal(t, vfs.Delay, walk)
				}
				beside.lookup(".")
				unmount()
				waitPaused(t, s.fs, false)
				for _, r := range []*runner{s.w, late} {
					st, walk := answers(r)
					require.Equal(t, vfs.OK, st)
					require.Equal(t, vfs.OK, walk)
				}
				again, _ := answers(s.l)
				require.Equal(t, lane, again)
				leave()
			}
		})
	}
}
