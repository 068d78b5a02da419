package posixfs

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kind"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// If a FUSE process hangs, the first stat would hang each lane.
func TestLanesLeaveForeignFileSystemsToWorkers(t *testing.T) {
	for _, foreign := range []bool{false, true} {
		s := serve(t, tmpfsDir(t), Config{}, options{foreign: foreign, period: time.Hour})
		s.write("file", "content", 0o644)
		h := s.lookup("file")
		want := vfs.OK
		if foreign {
			want = vfs.Again
		}
		var a vfs.Attr
		var e vfs.Entry
		buf := make([]byte, 7)
		s.w.do(func(v *View) { // opens what lanes need
			_, _, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: buf}, &a)
			require.Equal(t, vfs.OK, st)
			require.Equal(t, "content", string(buf))
		})
		s.l.do(func(v *View) {
			c := s.l.cred(0, 0)
			require.Equal(t, want, v.GetAttr(h, &a))
			if !foreign {
				return
			}
			require.Equal(t, vfs.Again, v.Lookup(c, s.fs.Root(), []byte("file"), &vfs.Found{Entry: &e, Dir: &a}))
			_, st := v.Access(c, h, vfs.MayRead, &a)
			require.Equal(t, vfs.Again, st)
			_, _, st = v.Read(c, h, &vfs.ReadArgs{Off: 0, Dst: buf}, &a)
			require.Equal(t, vfs.Again, st)
			_, _, _, st = v.Write(c, h, &vfs.WriteArgs{Off: 0, Src: [][]byte{buf}, How: vfs.Unstable}, &vfs.WCC{})
			require.Equal(t, vfs.Again, st)
		})
		time.Sleep(verdict.Age + 20*time.Millisecond)
		s.w.do(func(v *View) { // ctimes may be of another machine's clock
			_, _, st := v.Read(s.root(), h, &vfs.ReadArgs{Off: 0, Dst: buf}, &a)
			require.Equal(t, vfs.OK, st)
			e, st := v.acquire(&h, useMain)
			require.Equal(t, vfs.OK, st)
			require.Equal(t, !foreign, v.judge.Has(s.root(), &e.Own.rights, &v.st, verdict.ReadData))
			v.done()
		})
		s.close()
	}
	require.True(t, kind.Foreign(unix.FUSE_SUPER_MAGIC))
	require.False(t, kind.Foreign(unix.EXT4_SUPER_MAGIC))
}
