package posixfs

import (
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// hot are the operations that a lane does itself, on a file that is warm.
func hot(t testing.TB, s *served) map[string]func(v *View) vfs.Status {
	file, root := s.lookup("f"), s.fs.Root()
	c := s.l.cred(1000, 1000, 4, 24)
	var a, d vfs.Attr
	var e vfs.Entry
	var w vfs.WCC
	buf := make([]byte, 4096)
	name := []byte("f")
	src := [][]byte{buf[:2048], buf[2048:]}
	ops := map[string]func(v *View) vfs.Status{
		"GetAttr": func(v *View) vfs.Status { return v.GetAttr(file, &a) },
		"Access": func(v *View) vfs.Status {
			_, st := v.Access(c, file, vfs.MayRead|vfs.MayWrite|vfs.MayExec, &a)
			return st
		},
		"Lookup": func(v *View) vfs.Status {
			s := v.Lookup(c, root, name, &vfs.Found{Entry: &e, Dir: &d})
			if s == vfs.Again { // now and then a worker must settle the directory
				s = v.Lookup(c, root, name, &vfs.Found{Entry: &e, Dir: &d})
			}
			return s
		},
		"Read4K": func(v *View) vfs.Status {
			_, _, st := v.Read(c, file, &vfs.ReadArgs{Off: 0, Dst: buf}, &a)
			return st
		},
	}
	if s.fs.data.Pace.On() {
		ops["Write4K"] = func(v *View) vfs.Status {
			_, _, _, st := v.Write(c, file, &vfs.WriteArgs{Off: 0, Src: src, How: vfs.Unstable}, &w)
			return st
		}
	}
	s.w.do(func(v *View) { // warm up where waiting is allowed
		cw := s.w.cred(1000, 1000, 4, 24)
		_, _ = v.Access(cw, root, vfs.MayExec, &a)
		_, _ = v.Access(cw, file, vfs.MayRead, &a)
		_, _, st := v.Read(cw, file, &vfs.ReadArgs{Off: 0, Dst: buf}, &a)
		require2(t, st)
		_, _, _, st = v.Write(cw, file, &vfs.WriteArgs{Off: 0, Src: src, How: vfs.Unstable}, &w)
		require2(t, st)
	})
	return ops
}

func require2(t testing.TB, s vfs.Status) {
	if s != vfs.OK {
		t.Fatalf("status %v", s)
	}
}

func hotPlace(t *testing.T, dir string) *served {
	s := serve(t, dir, Config{Writes: WriteInline}, options{})
	s.write("f", string(make([]byte, 8192)), 0o666)
	if os.Geteuid() == 0 {
		chown(t, dir+"/f", 1000, 1000)
	}
	return s
}

func TestTheHotPathDoesNotAllocate(t *testing.T) {
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			s := hotPlace(t, k.dir(t))
			for name, op := range hot(t, s) {
				// On a busy machine a lane leaves a call to a worker, and takes up
				// the next calls again. So a run of calls counts in which the lane
				// did each call itself.
				for tries, left := 0, 1; left > 0; tries++ {
					require.Less(t, tries, 100, "%s is always left to workers", name)
					left = 0
					s.l.do(func(v *View) {
						allocs := testing.AllocsPerRun(100, func() {
							if st := op(v); st == vfs.Again {
								left++
							} else {
								require2(t, st)
							}
						})
						require.Zero(t, allocs, name)
					})
					if left > 0 {
						s.w.do(func(v *View) { require2(t, op(v)) })
					}
				}
			}
		})
	}
}
