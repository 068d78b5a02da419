package posixfs

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// exclusiveRig is an exclusive tree with two lanes and two workers. What they answer is compared
// with what the kernel says of the same paths.
type exclusiveRig struct {
	dir      string
	fs       *FS
	lanes    [2]*runner
	workers  [2]*runner
	recalled int    // answers that came from memory
	wrong    string // see must
	seen     map[string]vfs.Handle
}

func newExclusiveRig(t *testing.T, dir string, o options) *exclusiveRig {
	t.Helper()
	o.period = time.Hour // so no time limit makes up for a mistake
	fs, err := newFS(Config{Dir: dir, Exclusive: true, FDMax: 512, Log: new(complaints).log()}, o)
	require.NoError(t, err)
	r := &exclusiveRig{seen: map[string]vfs.Handle{}, dir: dir, fs: fs}
	for i := range r.lanes {
		r.lanes[i], r.workers[i] = newRunner(t, fs, false), newRunner(t, fs, true)
	}
	t.Cleanup(func() {
		for i := range r.lanes {
			r.lanes[i].close()
			r.workers[i].close()
		}
		require.NoError(t, fs.Close())
	})
	return r
}

// dirs and names are those that the tests use: every name in every directory.
var (
	modelDirs  = []string{"", "p", "q"}
	modelNames = []string{"a", "b", "c", "p", "q"}
)

// handle asks the kernel for the handle of a path.
func (r *exclusiveRig) handle(path string) (h vfs.Handle, ok bool) {
	fd, err := unix.Open(filepath.Join(r.dir, path), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return h, false
	}
	defer kernel.CloseFD(fd)
	var k kernel.FileHandle
	var mount int32
	h, errno := kernel.Handle(fd, &k, &mount)
	return h, errno == 0
}

// truth asks the kernel about a path. The visible mount has the same objects.
func (r *exclusiveRig) truth(path string) (a vfs.Attr, errno unix.Errno) {
	var st unix.Statx_t
	full := filepath.Join(r.dir, path)
	err := unix.Statx(unix.AT_FDCWD, full, unix.AT_SYMLINK_NOFOLLOW, kernel.StatxMask, &st)
	if err != nil {
		return a, err.(unix.Errno)
	}
	r.fs.attributes(&a, &st)
	return a, 0
}

// must notes the first answer of the server that is not what the kernel says.
func (r *exclusiveRig) must(ok bool, format string, args ...any) {
	if !ok && r.wrong == "" {
		r.wrong = fmt.Sprintf(format, args...)
	}
}

// compare asks every lane for all names and objects, as often as it takes until the answers come
// from memory, and compares the answers with the kernel's.
func (r *exclusiveRig) compare() {
	r.compareAll()
	_, withdrawn := r.fs.Exclusive()
	r.must(!withdrawn, "nobody else has changed anything")
}

// compareAll is compare, also after somebody else has changed something.
func (r *exclusiveRig) compareAll() {
	// First what is in memory, before any question brings it up to date.
	for path, h := range r.seen {
		want, errno := r.truth(path)
		if now, ok := r.handle(path); errno != 0 || !ok || now != h {
			delete(r.seen, path)
			continue
		}
		for i, l := range r.lanes {
			l.do(func(v *View) {
				var a vfs.Attr
				if v.recallAttr(&h, &a) != nil {
					r.recalled++
					r.must(a == want, "lane %d: %q is %+v in memory, not %+v", i, path, a, want)
				}
			})
		}
	}
	for _, dir := range modelDirs {
		top, errno := r.truth(dir)
		if errno != 0 || top.Type != vfs.TypeDir {
			continue
		}
		h, ok := r.handle(dir)
		r.must(ok, "no handle of %q", dir)
		for i, l := range r.lanes {
			for range 4 {
				want, _ := r.truth(dir)
				l.do(func(v *View) {
					var a vfs.Attr
					s := v.GetAttr(h, &a)
					r.must(s == vfs.Again || s == vfs.OK && a == want, "lane %d: %q is %v %+v, not %+v", i, dir, s, a, want)
				})
				for _, name := range modelNames {
					r.compareName(l, h, dir, name)
				}
			}
		}
	}
}

func (r *exclusiveRig) compareName(l *runner, dir vfs.Handle, at, name string) {
	path := filepath.Join(at, name)
	want, errno := r.truth(path)
	var (
		e    vfs.Entry
		d, a vfs.Attr
		s    vfs.Status
		c    = l.cred(0, 0)
	)
	look := func(v *View) {
		e, d = vfs.Entry{}, vfs.Attr{}
		var ok bool
		if s, ok = v.recallName(c, &dir, []byte(name), &vfs.Found{Entry: &e, Dir: &d}); ok {
			r.recalled++
			return
		}
		s = v.Lookup(c, dir, []byte(name), &vfs.Found{Entry: &e, Dir: &d})
	}
	l.do(look)
	if s == vfs.Again {
		r.workers[0].do(func(v *View) {
			s = v.Lookup(r.workers[0].cred(0, 0), dir, []byte(name), &vfs.Found{Entry: &e, Dir: &d})
		})
	}
	if errno != 0 {
		r.must(s == vfs.NoEnt, "%q is %v, not missing", path, s)
		return
	}
	r.must(s == vfs.OK, "%q is %v", path, s)
	r.must(e.Attr == want, "%q is %+v, not %+v", path, e.Attr, want)
	r.seen[path] = e.Handle
	up, _ := r.truth(at)
	r.must(d == up, "the directory of %q is %+v, not %+v", path, d, up)
	l.do(func(v *View) {
		s := v.GetAttr(e.Handle, &a)
		r.must(s == vfs.Again || s == vfs.OK && a == want, "%q is %v %+v, not %+v", path, s, a, want)
		for _, c := range []*vfs.Cred{l.cred(0, 0), l.cred(1000, 1000), l.cred(7, 7, 1000)} {
			granted, s := v.Access(c, e.Handle, vfs.MayRead|vfs.MayWrite|vfs.MayExec, &a)
			r.must(s == vfs.Again || s == vfs.OK && a == want, "%q for ACCESS is %v %+v, not %+v", path, s, a, want)
			if s == vfs.OK {
				var st vfs.Status
				var asked vfs.Permission
				r.workers[1].do(func(v *View) {
					x, s := v.reach(&e.Handle, useMain)
					r.must(s == vfs.OK, "reach %v", s)
					cred := r.workers[1].cred(c.UID, c.GID, c.Groups...)
					asked, st = v.judge.Ask(cred, &x.Own.rights, vfs.MayRead|vfs.MayWrite|vfs.MayExec)
					v.done()
				})
				r.must(st == vfs.OK && asked == granted, "user %d may %v with %q, not %v", c.UID, asked, path, granted)
			}
		}
	})
}

// act makes the change that the numbers stand for.
func (r *exclusiveRig) act(op string, w *runner, dir, dir2, name, name2 string, n int) {
	h, ok := r.handle(dir)
	h2, ok2 := r.handle(dir2)
	x, found := r.handle(filepath.Join(dir, name))
	if !ok || !ok2 {
		return
	}
	c := w.cred(0, 0)
	var (
		e    vfs.Entry
		a    vfs.Attr
		u, z vfs.WCC
		m    = vfs.Made{Entry: &e, Dir: &u}
		nm   = []byte(name)
		set  = vfs.SetAttr{HasMode: true, Mode: []uint32{0o644, 0o600, 0o755, 0o4711}[n%4]}
		data = [][]byte{make([]byte, 1+n*700)}
	)
	if n%3 == 0 {
		set.HasUID, set.UID = true, 1000
	}
	w.do(func(v *View) {
		switch op {
		case "create":
			if n%2 == 0 {
				set.HasSize, set.Size = true, uint64(n*1000)
			}
			v.Create(c, h, &vfs.CreateArgs{Name: nm, How: vfs.CreateHow(n % 2), Set: &set}, &m)
		case "exclusive":
			v.Create(c, h, &vfs.CreateArgs{Name: nm, How: vfs.Exclusive, Verf: uint64(n), Mode: 0o640}, &m)
		case "mkdir":
			v.Mkdir(c, h, &vfs.MkdirArgs{Name: nm, Set: &set}, &m)
		case "symlink":
			v.Symlink(c, h, &vfs.SymlinkArgs{Name: nm, Target: []byte("nowhere"), Set: &vfs.SetAttr{}}, &m)
		case "mknod":
			v.Mknod(c, h, &vfs.MknodArgs{Name: nm, Type: vfs.TypeFifo, Set: &set}, &m)
		case "remove":
			v.Remove(c, h, nm, &u)
		case "rmdir":
			v.Rmdir(c, h, nm, &u)
		case "rename":
			v.Rename(c, &vfs.RenameArgs{From: h, FromName: nm, To: h2, ToName: []byte(name2)}, &u, &z)
		case "list":
			_, _, _ = v.ReadDir(c, h, &vfs.ReadDirArgs{
				Want:  vfs.EntryMask(n%2) * (vfs.EntryAttr | vfs.EntryHandle),
				Yield: func(*vfs.DirEntry) bool { return true },
			}, &a)
		}
		if !found {
			return
		}
		switch op {
		case "link":
			v.Link(c, &vfs.LinkArgs{Object: x, Dir: h2, Name: []byte(name2)}, &a, &u)
		case "write":
			_, _, _, _ = v.Write(c, x, &vfs.WriteArgs{Off: uint64(n * 100), Src: data, How: vfs.Stability(n % 3)}, &u)
		case "commit":
			_, _ = v.Commit(c, x, &vfs.CommitArgs{}, &u)
		case "setattr":
			if n%2 == 0 {
				set.HasSize, set.Size = true, uint64(n*900)
			}
			v.SetAttr(c, x, &set, &u)
		case "touch":
			v.SetAttr(c, x, &vfs.SetAttr{
				AtimeHow: vfs.TimeClient, Atime: vfs.Time{Sec: int64(n)}, MtimeHow: vfs.TimeServer,
			}, &u)
		case "read":
			_, _, _ = v.Read(c, x, &vfs.ReadArgs{Dst: make([]byte, 100)}, &a)
		case "readlink":
			_, _ = v.ReadLink(c, x, make([]byte, 4096), &a)
		case "allocate":
			v.Allocate(c, x, &vfs.RangeArgs{Off: uint64(n) << 12, Len: 1 << 13}, &u)
		case "deallocate":
			v.Deallocate(c, x, &vfs.RangeArgs{Len: 1 << 12}, &u)
		case "copy":
			_, _, _ = v.Copy(c, x, &vfs.CopyArgs{From: v, FromCred: c, FromHandle: x, Off: 1 << 16, Len: 100}, &u)
		case "xattr":
			v.SetXattr(c, x, &vfs.XattrArgs{Name: []byte("n"), Value: []byte{byte(n)}}, &u)
		case "acl":
			list := acl.List{
				{Tag: acl.UserObj, Perm: 6}, {Tag: acl.User, ID: 1000, Perm: acl.Perm(n % 8)},
				{Tag: acl.GroupObj, Perm: 4},
				{Tag: acl.Mask, Perm: 7}, {Tag: acl.Other, Perm: acl.Perm(n % 8)},
			}
			v.SetACL(c, x, &vfs.ACLSet{HasAccess: true, Access: list}, &a)
		}
	})
}

var modelOps = []string{
	"create", "exclusive", "mkdir", "symlink", "mknod", "remove", "rmdir", "rename", "list", "link", "write",
	"commit",
	"setattr", "touch", "read", "readlink", "allocate", "deallocate", "copy", "xattr", "acl", "sweep",
}

// clean makes the tree what it is at the beginning, by way of the server.
func (r *exclusiveRig) clean() {
	for _, dir := range []string{"p/p", "p/q", "q/p", "q/q", "p", "q", ""} {
		for _, name := range modelNames {
			r.act("remove", r.workers[0], dir, "", name, "", 0)
			r.act("rmdir", r.workers[0], dir, "", name, "", 0)
		}
	}
	r.wrong = ""
	for _, dir := range []string{"p", "q"} {
		r.act("mkdir", r.workers[0], "", "", dir, "", 2)
		r.act("create", r.workers[0], dir, "", "a", "", 3)
		r.act("symlink", r.workers[0], dir, "", "b", "", 0)
	}
	r.act("link", r.workers[0], "p", "q", "a", "c", 0)
}

// random makes random changes on both workers and lanes, and compares after each.
func (r *exclusiveRig) random(rt *rapid.T, steps int) {
	r.clean()
	for range steps {
		op := rapid.SampledFrom(modelOps).Draw(rt, "op")
		w := rapid.IntRange(0, 1).Draw(rt, "worker")
		dir := rapid.SampledFrom(modelDirs).Draw(rt, "dir")
		dir2 := rapid.SampledFrom(modelDirs).Draw(rt, "dir2")
		name := rapid.SampledFrom(modelNames).Draw(rt, "name")
		name2 := rapid.SampledFrom(modelNames).Draw(rt, "name2")
		n := rapid.IntRange(0, 11).Draw(rt, "n")
		switch {
		case op == "sweep":
			r.fs.sweep()
		case (op == "read" || op == "write") && n%2 == 0:
			r.act(op, r.lanes[w], dir, dir2, name, name2, n)
		default:
			r.act(op, r.workers[w], dir, dir2, name, name2, n)
		}
		r.compare()
	}
}

func TestAnExclusiveTreeAnswersWhatTheKernelWould(t *testing.T) {
	t.Parallel()
	needRoot(t)
	for _, k := range fileSystems {
		t.Run(k.name, func(t *testing.T) {
			t.Parallel()
			dir := k.dir(t)
			r := newExclusiveRig(t, dir, options{})
			runs, failed := 0, false // shrinking may take as many runs as it likes
			rapid.Check(t, func(rt *rapid.T) {
				if runs++; runs > 8 && !failed {
					return
				}
				defer func() { failed = failed || rt.Failed() }()
				r.random(rt, 12)
				require.Empty(rt, r.wrong)
			})
			require.Greater(t, r.recalled, 100, "memory answers")
		})
	}
}
