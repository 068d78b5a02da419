package posixfs

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/sole"
)

// step is one change of the model test.
type step struct{ op, dir, dir2, name, name2 string }

// Whoever leaves out one of the places where changes are counted finds that memory is wrong. Each
// place has the steps that show it.
func TestNoPlaceWhereChangesAreCountedCanBeLeftOut(t *testing.T) {
	t.Parallel()
	shows := [sites]step{
		siteWrite:      {"write", "p", "", "a", ""},
		siteAlter:      {"allocate", "p", "", "a", ""},
		siteSetAttr:    {"setattr", "p", "", "a", ""},
		siteLocked:     {"create", "p", "", "p", ""},
		siteACL:        {"acl", "p", "", "a", ""},
		siteTaken:      {"remove", "p", "", "a", ""},
		siteMoved:      {"rename", "p", "p", "a", "b"},
		siteLinked:     {"link", "p", "p", "a", "p"},
		siteNew:        {"exclusive", "p", "", "p", ""},
		siteResized:    {"create", "p", "", "a", ""},
		siteRenameFrom: {"rename", "p", "q", "a", "p"},
		siteRenameTo:   {"rename", "p", "q", "a", "p"},
		siteAccessed:   {"read", "p", "", "a", ""},
		siteRead:       {"list", "p", "", "", ""},
	}
	dir := fileSystems[1].dir(t)
	for at := site(1); at < sites; at++ {
		for _, out := range []bool{false, true} {
			sub := filepath.Join(dir, strings.Repeat("x", int(at)*2+len(shows[at].op)))
			require.NoError(t, os.MkdirAll(sub, 0o755))
			o := options{}
			if out {
				o.leaveOut = at
			}
			r := newExclusiveRig(t, sub, o)
			r.clean()
			if at == siteNew { // somebody looks the file up before CREATE has set its times
				r.fs.between = func() { lookTwice(r, "p", "p") }
			}
			r.act("write", r.workers[0], "p", "", "a", "", 5) // FILE_SYNC: unstable data is not kept
			r.compare()
			x := shows[at]
			r.act(x.op, r.workers[0], x.dir, x.dir2, x.name, x.name2, 8)
			if at == siteAccessed {
				r.compare()
				r.act("touch", r.workers[0], "p", "", "a", "", 8)
				r.act("read", r.workers[0], "p", "", "a", "", 8)
				r.compare()
				h, _ := r.handle("p/a")
				r.workers[0].do(func(v *View) {
					e, _ := v.reach(&h, useMain)
					r.fs.writeAtime(e) // as the janitor does
					v.done()
				})
			}
			r.compare()
			if out {
				require.NotEmpty(t, r.wrong, "without place %d nothing is wrong", at)
			} else {
				require.Empty(t, r.wrong, "place %d", at)
			}
		}
	}
}

// lookTwice has a lane remember the object called name in dir.
func lookTwice(r *exclusiveRig, dir, name string) {
	at, _ := r.handle(dir)
	var e vfs.Entry
	var d, a vfs.Attr
	r.workers[1].do(func(v *View) {
		v.Lookup(r.workers[1].cred(0, 0), at, []byte(name), &vfs.Found{Entry: &e, Dir: &d})
	})
	for range 3 {
		r.lanes[0].do(func(v *View) { v.GetAttr(e.Handle, &a) })
	}
}

// What is answered is never older than a reply that has been given, with many threads at once.
func TestMemoryIsNeverBehindAReply(t *testing.T) {
	t.Parallel()
	needRoot(t)
	r := newExclusiveRig(t, fileSystems[1].dir(t), options{})
	r.clean()
	h, _ := r.handle("p/a")
	dir, _ := r.handle("p")
	var replied atomic.Uint64 // the size that a reply has told of
	var named atomic.Uint64   // a multiple of four: "p/x" is there; odd: it is being made or removed
	named.Store(2)
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for _, l := range r.lanes {
		wg.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				l.do(func(v *View) {
					for range 100 {
						least := replied.Load()
						var a, d vfs.Attr
						var e vfs.Entry
						s := v.Lookup(l.cred(0, 0), dir, []byte("a"), &vfs.Found{Entry: &e, Dir: &d})
						if s == vfs.OK && e.Attr.Size < least {
							t.Errorf("LOOKUP shows size %d after %d", e.Attr.Size, least)
						}
						before := named.Load()
						s = v.Lookup(l.cred(0, 0), dir, []byte("x"), &vfs.Found{Entry: &e, Dir: &d})
						there := before%4 == 0
						if before%2 == 0 && named.Load() == before && s != vfs.Again && (s == vfs.OK) != there {
							t.Errorf("a name is %v, and there: %v", s, there)
						}
						least = replied.Load()
						if s := v.GetAttr(h, &a); s == vfs.OK && a.Size < least {
							t.Errorf("GETATTR shows size %d after %d", a.Size, least)
						}
					}
				})
			}
		})
	}
	for size := uint64(1); size <= 2000; size++ {
		w := r.workers[size%2]
		w.do(func(v *View) {
			var u vfs.WCC
			if s := v.SetAttr(w.cred(0, 0), h, &vfs.SetAttr{HasSize: true, Size: size}, &u); s != vfs.OK {
				t.Errorf("SETATTR: %v", s)
			}
			if !u.Atomic {
				t.Error("nobody else changes the file")
			}
		})
		replied.Store(size)
		named.Add(1)
		op := "create"
		if size%2 == 0 {
			op = "remove"
		}
		r.act(op, w, "p", "", "x", "", 1)
		named.Add(1)
	}
	close(stop)
	wg.Wait()
}

// warm has a lane remember everything in the directory of the test.
func (r *exclusiveRig) warm(t *testing.T) {
	t.Helper()
	r.clean()
	r.compare()
	require.Empty(t, r.wrong)
	require.True(t, r.fs.sole.On())
}

// A change by somebody else is noticed by the next operation that asks the kernel: a change of the
// object, or the first question after some ticks.
func TestAChangeBySomebodyElseIsNoticed(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, change := range map[string]func(dir string) error{
		"mode":   func(dir string) error { return os.Chmod(filepath.Join(dir, "p/a"), 0o640) },
		"owner":  func(dir string) error { return os.Chown(filepath.Join(dir, "p/a"), 5, 5) },
		"data":   func(dir string) error { return os.WriteFile(filepath.Join(dir, "p/a"), []byte("new"), 0) },
		"length": func(dir string) error { return os.Truncate(filepath.Join(dir, "p/a"), 77) },
		"times": func(dir string) error {
			return os.Chtimes(filepath.Join(dir, "p/a"), time.Unix(1, 0), time.Unix(2, 0))
		},
		"link": func(dir string) error {
			return os.Link(filepath.Join(dir, "p/a"), filepath.Join(dir, "p/other"))
		},
		"attribute": func(dir string) error {
			return unix.Setxattr(filepath.Join(dir, "p/a"), "user.x", []byte("y"), 0)
		},
	} {
		for how, ask := range map[string]func(r *exclusiveRig, h vfs.Handle){
			"change": func(r *exclusiveRig, h vfs.Handle) {
				r.act("setattr", r.workers[0], "p", "", "a", "", 1)
			},
			"question": func(r *exclusiveRig, h vfs.Handle) {
				r.fs.tick.Add(sole.Ticks)
				want, _ := r.truth("p/a")
				r.lanes[1].do(func(v *View) {
					var a vfs.Attr
					require.Equal(t, vfs.OK, v.GetAttr(h, &a))
					require.Equal(t, want, a, "the answer is true already")
				})
			},
		} {
			t.Run(name+" by a "+how, func(t *testing.T) {
				var out complaints
				r := newExclusiveRig(t, tmpfsDir(t), options{})
				r.fs.log = out.log()
				r.warm(t)
				h, _ := r.handle("p/a")
				require.NoError(t, change(r.dir))
				ask(r, h)
				on, withdrawn := r.fs.Exclusive()
				require.True(t, on)
				require.True(t, withdrawn)
				require.Eventually(t, func() bool { return out.String() != "" }, time.Minute, time.Millisecond)
				require.Contains(t, out.String(), "level=ERROR")
				require.Contains(t, out.String(), "p/a")
				require.Contains(t, out.String(), "--exclusive")
				r.recalled = 0
				r.compareAll()
				require.Zero(t, r.recalled, "nothing comes from memory any more")
				require.Empty(t, r.wrong)
			})
		}
	}
}

// A name that somebody else makes or takes is noticed at the next change in the directory.
func TestANameOfSomebodyElseIsNoticed(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for name, change := range map[string]func(dir string) error{
		"made":    func(dir string) error { return os.WriteFile(filepath.Join(dir, "p/new"), nil, 0o644) },
		"removed": func(dir string) error { return os.Remove(filepath.Join(dir, "p/b")) },
		"renamed": func(dir string) error {
			return os.Rename(filepath.Join(dir, "p/b"), filepath.Join(dir, "p/c"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newExclusiveRig(t, tmpfsDir(t), options{})
			r.warm(t)
			require.NoError(t, change(r.dir))
			r.act("mkdir", r.workers[0], "p", "", "q", "", 2)
			_, withdrawn := r.fs.Exclusive()
			require.True(t, withdrawn)
			r.compareAll()
			require.Empty(t, r.wrong)
		})
	}
}

func TestMountsOfTheSameFileSystemElsewhereAreFound(t *testing.T) {
	const list = `22 1 0:20 / /proc rw,nosuid - proc proc rw
30 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw
31 30 8:2 / /srv rw,relatime - ext4 /dev/sda2 rw
32 30 8:2 /sub /mnt ro,relatime - ext4 /dev/sda2 rw
`
	require.Empty(t, otherMount(list, 31), "the other one is read-only")
	require.Equal(t, "/srv", otherMount(list, 32))
	require.Empty(t, otherMount(list, 30))
	require.Equal(t, "/elsewhere", otherMount(list+"33 30 8:1 /x /elsewhere rw - ext4 /dev/sda1 rw\n", 30))
	require.Empty(t, otherMount(list, 99), "a mount that is not in the list")
}

func TestWhatOthersCanChangeIsRefused(t *testing.T) {
	t.Parallel()
	needRoot(t)
	dir := tmpfsDir(t)
	for _, o := range []options{{noPrivate: true}, {noHandles: true}, {noSwitch: true}} {
		_, err := newFS(Config{Dir: dir, Exclusive: true}, o)
		require.ErrorContains(t, err, "that takes a server that is root")
	}
	_, err := newFS(Config{Dir: dir, Exclusive: true}, options{foreign: true})
	require.ErrorContains(t, err, "leave out --exclusive")
	fs, err := newFS(Config{Dir: dir}, options{})
	require.NoError(t, err)
	on, withdrawn := fs.Exclusive()
	require.False(t, on)
	require.False(t, withdrawn)
	require.NoError(t, fs.Close())
}
