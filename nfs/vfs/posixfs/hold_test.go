package posixfs

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// keepAll wants all files. It is for one thread.
type keepAll struct {
	asked, told int
	held        []vfs.Held
}

func (k *keepAll) Any() bool            { return true }
func (k *keepAll) Keep(vfs.Handle) bool { k.asked++; return true }

func (k *keepAll) Kept(_ vfs.Handle, held vfs.Held) {
	k.told++
	if held != nil {
		k.held = append(k.held, held)
	}
}

// remove removes a name and returns the status.
func (s *served) remove(name string) (st vfs.Status) {
	var w vfs.WCC
	s.w.do(func(v *View) { st = v.Remove(s.root(), s.fs.Root(), []byte(name), &w) })
	return st
}

// content reads a file's first bytes.
func (s *served) content(h vfs.Handle) (string, vfs.Status) {
	var n int
	var st vfs.Status
	b := make([]byte, 100)
	s.w.do(func(v *View) {
		var a vfs.Attr
		n, _, st = v.Read(s.root(), h, &vfs.ReadArgs{Dst: b}, &a)
	})
	return string(b[:n]), st
}

func TestAFileThatIsHeldIsNeitherIdleNorEvicted(t *testing.T) {
	for _, on := range fileSystems {
		t.Run(on.name, func(t *testing.T) {
			s := serve(t, on.dir(t), Config{FDMax: 20}, options{period: time.Hour}) // the test drives the ticks
			s.write("f", "content", 0o644)
			h := s.lookup("f")
			for range idleRounds + 1 { // so that the file is not open when its name goes
				s.fs.sweep()
			}
			s.fs.reap(true)
			require.Zero(t, s.fs.tab.Open())
			k := new(keepAll)
			s.fs.AskKeeper(k)
			require.Equal(t, vfs.OK, s.remove("f"))
			require.Len(t, k.held, 1)
			s.w.do(func(v *View) {
				var w vfs.WCC
				_, _, _, st := v.Write(s.root(), h, &vfs.WriteArgs{Src: [][]byte{[]byte("C")}, How: vfs.FileSync}, &w)
				require.Equal(t, vfs.OK, st)
				require.True(t, w.HasBefore)
				require.True(t, w.After.Filled())
				require.Zero(t, w.After.Nlink)
			})
			for range 3 * idleRounds {
				s.fs.sweep()
				s.fs.restWriters()
			}
			for i := range 100 {
				name := fmt.Sprint(i)
				s.write(name, "x", 0o644)
				s.lookup(name)
			}
			s.fs.Shed()
			s.fs.reap(true)
			text, st := s.content(h)
			require.Equal(t, vfs.OK, st)
			require.Equal(t, "Content", text)
			k.held[0].Drop()
			_, st = s.content(h)
			require.Equal(t, vfs.Stale, st)
			s.fs.reap(true)
			require.Zero(t, s.fs.lasting.Load())
			require.Zero(t, s.fs.tab.Going(), "its space is free")
		})
	}
}

func TestHoldsTakeHalfOfTheDescriptorsAtMost(t *testing.T) {
	const fdMax = 12
	s := serve(t, tmpfsDir(t), Config{FDMax: fdMax}, options{period: time.Hour})
	k := new(keepAll)
	s.fs.AskKeeper(k)
	for i := range fdMax / 2 {
		s.write(fmt.Sprint(i), "x", 0o644)
		require.Equal(t, vfs.OK, s.remove(fmt.Sprint(i)))
	}
	s.write("more", "there", 0o644)
	h := s.lookup("more")
	require.Equal(t, vfs.Delay, s.remove("more"))
	require.Len(t, k.held, fdMax/2)
	require.Equal(t, k.asked, k.told)
	text, st := s.content(h)
	require.Equal(t, vfs.OK, st)
	require.Equal(t, "there", text)
	require.Equal(t, h, s.lookup("more"), "the name has stayed")
	k.held[0].Drop()
	require.Equal(t, vfs.OK, s.remove("more"))
	for _, x := range k.held[1:] {
		x.Drop()
	}
	require.Zero(t, s.fs.lasting.Load())
	_, st = s.content(h)
	require.Equal(t, vfs.Stale, st)
}

func TestHoldsEndWithTheServer(t *testing.T) {
	before := openFDs(t)
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	k := new(keepAll)
	s.fs.AskKeeper(k)
	s.write("f", "x", 0o644)
	require.Equal(t, vfs.OK, s.remove("f"))
	require.Len(t, k.held, 1)
	s.close()
	require.Equal(t, before, openFDs(t))
}

// keepLater says no to the first question of one kind, as if the file was opened after that.
type keepLater struct {
	keepAll
	noneYet, notYet bool // to Any, and to Keep
}

func (k *keepLater) Any() bool {
	no := k.noneYet
	k.noneYet = false
	return !no
}

func (k *keepLater) Keep(h vfs.Handle) bool {
	if k.notYet {
		k.notYet = false
		return false
	}
	return k.keepAll.Keep(h)
}

func TestAFileThatIsOpenedWhileItsNameGoesIsHeld(t *testing.T) {
	for _, on := range fileSystems {
		t.Run(on.name, func(t *testing.T) {
			s := serve(t, on.dir(t), Config{}, options{period: time.Hour})
			for i, k := range []*keepLater{{noneYet: true}, {notYet: true}, {noneYet: true}, {notYet: true}} {
				s.write("f", "content", 0o644)
				h := s.lookup("f")
				s.fs.AskKeeper(k)
				if i < 2 {
					require.Equal(t, vfs.OK, s.remove("f"))
				} else {
					s.write("g", "other", 0o644)
					s.w.do(func(v *View) {
						require.Equal(t, vfs.OK, v.Rename(s.root(), &vfs.RenameArgs{
							From: s.fs.Root(), FromName: []byte("g"), To: s.fs.Root(), ToName: []byte("f"),
						}, new(vfs.WCC), new(vfs.WCC)))
					})
				}
				require.Equal(t, 1, k.told)
				require.Len(t, k.held, 1)
				text, st := s.content(h)
				require.Equal(t, vfs.OK, st)
				require.Equal(t, "content", text)
				k.held[0].Drop()
				_, st = s.content(h)
				require.Equal(t, vfs.Stale, st)
				require.Zero(t, s.fs.lasting.Load())
			}
		})
	}
}
