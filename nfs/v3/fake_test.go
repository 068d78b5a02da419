package v3

import (
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// fakeFS is a file system of one object. It answers what the test tells it to. Its Views do not
// allocate.
type fakeFS struct {
	limits vfs.Limits
	view   fakeView
}

func newFake() *fakeFS {
	f := &fakeFS{limits: vfs.Limits{
		NameMax: 255, LinkMax: 32000, FileSizeMax: 1<<63 - 1, TimeDelta: vfs.Time{Nsec: 1},
		HardLinks: true, SymbolicLinks: true, CasePreserving: true, ChownRestricted: true,
		NoTrunc: true, Homogeneous: true, CanSetTime: true,
	}}
	f.view = fakeView{
		limits: &f.limits,
		attr: vfs.Attr{
			Mask: vfs.AttrBasic, Type: vfs.TypeReg, Mode: 0o4755, Nlink: 3, UID: 4, GID: 5, Size: 1 << 40, Used: 7 << 32,
			Major: 8, Minor: 9, FSID: 10 << 32, FileID: 11 << 40,
			Atime: vfs.Time{
				Sec:  12,
				Nsec: 13,
			}, Mtime: vfs.Time{Sec: 14, Nsec: 15}, Ctime: vfs.Time{Sec: 16, Nsec: 17},
		},
		has: vfs.MayExec | vfs.MayRead | vfs.MayWrite,
	}
	f.view.made, _ = vfs.MakeHandle([]byte("made by the fake"))
	return f
}

func (f *fakeFS) Root() vfs.Handle {
	h, _ := vfs.MakeHandle([]byte("root"))
	return h
}
func (f *fakeFS) Identity() vfs.Identity             { return vfs.Identity{1} }
func (f *fakeFS) Limits() vfs.Limits                 { return f.limits }
func (f *fakeFS) Verifier() uint64                   { return 0x1122334455667788 }
func (f *fakeFS) View(*vfs.Thread) (vfs.View, error) { return &f.view, nil }
func (f *fakeFS) Close() error                       { return nil }

// fakeView answers every operation but GetAttr with st.
type fakeView struct {
	able    vfs.Abilities
	st      vfs.Status
	attrSt  vfs.Status // of GetAttr
	attr    vfs.Attr
	limits  *vfs.Limits // of PATHCONF
	bare    bool        // operations leave attributes out
	made    vfs.Handle
	has     vfs.Permission
	content []byte
	link    string
	entries []vfs.DirEntry
	took    int // bytes that WRITE writes; 0: all

	// The arguments of the last call.
	calls    int // operations but GetAttr
	cred     *vfs.Cred
	name     string
	name2    string
	set      vfs.SetAttr
	guarded  bool
	guard    vfs.Time
	how      uint32
	verf     uint64
	off      uint64
	count    int
	segments int
	written  []byte
	want     vfs.Permission
	cookie   uint64
	plus     bool
	major    uint32
	minor    uint32
}

// keep notes the name of a call, without allocating when it is the same again.
func keep(dst *string, b []byte) {
	if *dst != string(b) {
		*dst = string(b)
	}
}

func (v *fakeView) done(c *vfs.Cred, a *vfs.Attr) vfs.Status {
	v.calls++
	v.cred = c
	if a != nil && !v.bare && v.st != vfs.Again {
		*a = v.attr
	}
	return v.st
}

func (v *fakeView) changed(c *vfs.Cred, w *vfs.WCC) vfs.Status {
	if !v.bare && v.st != vfs.Again {
		w.SetBefore(&v.attr)
		w.After = v.attr
	}
	return v.done(c, nil)
}

func (v *fakeView) found(e *vfs.Entry) {
	e.Handle, e.Attr = v.made, v.attr
	if v.bare {
		e.Attr.Mask = 0
	}
}

func (v *fakeView) make(c *vfs.Cred, s *vfs.SetAttr, name []byte, e *vfs.Entry, w *vfs.WCC) vfs.Status {
	keep(&v.name, name)
	v.set = *s
	v.found(e)
	return v.changed(c, w)
}

func (v *fakeView) GetAttr(_ vfs.Handle, a *vfs.Attr) vfs.Status {
	*a = v.attr
	return v.attrSt
}

func (v *fakeView) SetAttr(c *vfs.Cred, _ vfs.Handle, s *vfs.SetAttr, w *vfs.WCC) vfs.Status {
	guard := s.Guard
	v.set, v.guarded = *s, guard != nil
	if v.guarded {
		v.guard = *guard
	}
	return v.changed(c, w)
}

func (v *fakeView) Access(
	c *vfs.Cred,
	_ vfs.Handle,
	want vfs.Permission,
	a *vfs.Attr,
) (vfs.Permission, vfs.Status) {
	v.want = want
	return v.has & want, v.done(c, a)
}

func (v *fakeView) PathConf(_ vfs.Handle, l *vfs.Limits) vfs.Status {
	*l = *v.limits
	return v.done(nil, nil)
}

func (v *fakeView) Statfs(c *vfs.Cred, _ vfs.Handle, s *vfs.Statfs) vfs.Status {
	*s = vfs.Statfs{
		TotalBytes: 1 << 50,
		FreeBytes:  2,
		AvailBytes: 3,
		TotalFiles: 4,
		FreeFiles:  5,
		AvailFiles: 6,
	}
	return v.done(c, nil)
}

func (v *fakeView) Read(c *vfs.Cred, _ vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (int, bool, vfs.Status) {
	off, dst := r.Off, r.Dst
	v.off, v.count = off, len(dst)
	n := 0
	if off < uint64(len(v.content)) {
		n = copy(dst, v.content[off:])
	}
	return n, off+uint64(n) >= uint64(len(v.content)), v.done(c, a)
}

func (v *fakeView) Write(
	c *vfs.Cred,
	_ vfs.Handle,
	r *vfs.WriteArgs,
	w *vfs.WCC,
) (int, vfs.Stability, uint64, vfs.Status) {
	off, src, how := r.Off, r.Src, r.How
	v.off, v.how, v.segments = off, uint32(how), len(src)
	v.written = v.written[:0]
	for _, b := range src {
		v.written = append(v.written, b...)
	}
	n := len(v.written)
	if v.took > 0 {
		n = min(n, v.took)
	}
	return n, vfs.FileSync, 0x1122334455667788, v.changed(c, w)
}

func (v *fakeView) Commit(c *vfs.Cred, _ vfs.Handle, r *vfs.CommitArgs, w *vfs.WCC) (uint64, vfs.Status) {
	off, count := r.Off, r.Count
	v.off, v.count = off, int(count)
	return 0x1122334455667788, v.changed(c, w)
}

func (v *fakeView) ReadLink(c *vfs.Cred, _ vfs.Handle, dst []byte, a *vfs.Attr) (int, vfs.Status) {
	return copy(dst, v.link), v.done(c, a)
}

func (v *fakeView) Lookup(c *vfs.Cred, _ vfs.Handle, name []byte, f *vfs.Found) vfs.Status {
	e, d := f.Entry, f.Dir
	keep(&v.name, name)
	v.found(e)
	return v.done(c, d)
}

func (v *fakeView) Create(c *vfs.Cred, _ vfs.Handle, r *vfs.CreateArgs, m *vfs.Made) vfs.Status {
	name, how, s, verf := r.Name, r.How, r.Set, r.Verf
	e, w := m.Entry, m.Dir
	v.how, v.verf = uint32(how), verf
	return v.make(c, s, name, e, w)
}

func (v *fakeView) Mkdir(c *vfs.Cred, _ vfs.Handle, r *vfs.MkdirArgs, m *vfs.Made) vfs.Status {
	name, s := r.Name, r.Set
	e, w := m.Entry, m.Dir
	return v.make(c, s, name, e, w)
}

func (v *fakeView) Symlink(c *vfs.Cred, _ vfs.Handle, r *vfs.SymlinkArgs, m *vfs.Made) vfs.Status {
	name, target, s := r.Name, r.Target, r.Set
	e, w := m.Entry, m.Dir
	keep(&v.name2, target)
	return v.make(c, s, name, e, w)
}

func (v *fakeView) Mknod(c *vfs.Cred, _ vfs.Handle, r *vfs.MknodArgs, m *vfs.Made) vfs.Status {
	name, t, major, minor, s := r.Name, r.Type, r.Major, r.Minor, r.Set
	e, w := m.Entry, m.Dir
	v.how, v.major, v.minor = uint32(t), major, minor
	return v.make(c, s, name, e, w)
}

func (v *fakeView) Remove(c *vfs.Cred, _ vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	keep(&v.name, name)
	return v.changed(c, w)
}

func (v *fakeView) Rmdir(c *vfs.Cred, _ vfs.Handle, name []byte, w *vfs.WCC) vfs.Status {
	keep(&v.name, name)
	return v.changed(c, w)
}

func (v *fakeView) Rename(c *vfs.Cred, r *vfs.RenameArgs, wf, wt *vfs.WCC) vfs.Status {
	from, to := r.FromName, r.ToName
	keep(&v.name, from)
	keep(&v.name2, to)
	v.changed(c, wf)
	return v.changed(c, wt)
}

func (v *fakeView) Link(c *vfs.Cred, r *vfs.LinkArgs, a *vfs.Attr, w *vfs.WCC) vfs.Status {
	name := r.Name
	keep(&v.name, name)
	v.changed(c, w)
	return v.done(c, a)
}

func (v *fakeView) Walk(*vfs.Cred, string, *vfs.Entry) vfs.Status { return v.st }

func (v *fakeView) ReadDir(
	c *vfs.Cred,
	_ vfs.Handle,
	r *vfs.ReadDirArgs,
	d *vfs.Attr,
) (uint64, bool, vfs.Status) {
	cookie, verf, plus, yield := r.Cookie, r.Verf, r.Want != 0, r.Yield
	v.cookie, v.verf, v.plus = cookie, verf, plus
	st := v.done(c, d)
	for i := cookie; st == vfs.OK && i < uint64(len(v.entries)); i++ {
		if !yield(&v.entries[i]) {
			return 0x99, false, st
		}
	}
	return 0x99, true, st
}

func (v *fakeView) Close() {}

func (v *fakeView) Abilities() *vfs.Abilities { return &v.able }
