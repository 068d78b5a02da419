package posixfs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// If the file system may forget an object that is closed, the FS closes only files that are open
// for writing.
func TestWhatWasWrittenStaysOpenWhereItWouldBeForgotten(t *testing.T) {
	for name, odd := range map[string]func(*oddities){
		"forgets": func(o *oddities) { o.forgets = true },
		"untried": func(o *oddities) { o.untried = true },
		"FAT":     func(o *oddities) { o.fat = true },
	} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
			odd(&s.fs.odd)
			s.write("old", "content", 0o644)
			handles := []vfs.Handle{s.lookup("old")}
			s.w.do(func(v *View) {
				var e vfs.Entry
				require.Equal(
					t,
					vfs.OK,
					v.Create(
						s.root(),
						s.fs.Root(),
						&vfs.CreateArgs{
							Name: []byte("new"),
							How:  vfs.Guarded,
							Set:  &vfs.SetAttr{HasMode: true, Mode: 0o644},
						},
						&vfs.Made{Entry: &e, Dir: new(vfs.WCC)},
					),
				)
				handles = append(handles, e.Handle)
				for _, h := range handles {
					_, _, _, st := v.Write(
						s.root(),
						h,
						&vfs.WriteArgs{Off: 0, Src: [][]byte{[]byte("content")}, How: vfs.FileSync},
						new(vfs.WCC),
					)
					require.Equal(t, vfs.OK, st)
				}
			})
			for range 3 * idleRounds { // as the janitor does
				s.fs.restWriters()
				s.fs.sweep()
				s.fs.reap(true)
			}
			for _, h := range handles {
				e := s.entryOf(h)
				require.EqualValues(t, -1, e.Write.Load(), "nobody could execute it")
				require.Equal(t, 1, e.FDs())
				flags, err := unix.FcntlInt(uintptr(e.FD), unix.F_GETFL, 0)
				require.NoError(t, err)
				require.NotZero(t, flags&unix.O_PATH)
				text, st := s.read(h, 0, 0)
				require.Equal(t, vfs.OK, st)
				require.Equal(t, "content", text)
			}
			require.Zero(t, s.fs.tab.Counts().Writing)
			require.Zero(t, s.fs.tab.Counts().Retired)
		})
	}
}

func TestFATForgetsUnlessItIsMountedForHandles(t *testing.T) {
	const line = "94 27 7:1 / /mnt/usb rw,relatime shared:51 - vfat /dev/sdb1 rw,fmask=0022,codepage=437"
	require.True(t, fatForgets([]byte(line+",errors=remount-ro\n")))
	require.True(t, fatForgets([]byte(line+",nfs=stale_rw,errors=remount-ro\n")))
	require.False(t, fatForgets([]byte(line+",nfs=nostale_ro,errors=remount-ro\n")))
	require.False(t, fatForgets([]byte(line+",nfs=nostale_ro\n")))
	require.True(t, fatForgets(nil), "nothing is known")
	require.NotEmpty(t, (&oddities{fat: true}).notes(false))
}
