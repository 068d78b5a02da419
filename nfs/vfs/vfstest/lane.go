package vfstest

import (
	"bytes"
	"reflect"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// lane is a thread that may not wait, and its View.
type lane struct {
	v    vfs.View
	th   *vfs.Thread
	work chan func()
	done chan struct{}
}

func startLane(t *testing.T, fs vfs.FS) *lane {
	l := &lane{th: &vfs.Thread{}, work: make(chan func()), done: make(chan struct{})}
	ready := make(chan error)
	go func() {
		runtime.LockOSThread()
		var err error
		l.v, err = fs.View(l.th)
		ready <- err
		if err != nil {
			return
		}
		for f := range l.work {
			f()
		}
		l.v.Close()
		close(l.done)
	}()
	require.NoError(t, <-ready, "a View for a thread that may not wait")
	return l
}

func (l *lane) stop() {
	close(l.work)
	<-l.done
}

// run runs f on the lane's thread and waits for it. c is interned there.
func (l *lane) run(c *vfs.Cred, f func(c *vfs.Cred)) {
	done := make(chan struct{})
	l.work <- func() {
		defer close(done)
		if c != nil {
			c = l.th.Creds.Intern(c.UID, c.GID, c.Groups)
		}
		f(c)
	}
	<-done
}

// failer is what an assertion needs of a test.
type failer interface {
	require.TestingT
	Helper()
}

// laneFirst is a View that tries everything on a lane first.
type laneFirst struct {
	t      failer // *T, or the run of a random test
	lane   *lane
	worker vfs.View
}

func (l *laneFirst) Close() {}

// Abilities returns the worker's.
func (l *laneFirst) Abilities() *vfs.Abilities { return l.worker.Abilities() }

// These values are in a result before a call, and show whether the call wrote to it.
var (
	poisonAttr  = vfs.Attr{Mask: vfs.AttrBasic, Type: 99, Mode: 0xdead, Size: 0xdeadbeef, FileID: 1 << 60}
	poisonWCC   = vfs.WCC{HasBefore: true, Before: vfs.Before{Size: 0xdeadbeef}, After: poisonAttr}
	poisonEntry = vfs.Entry{Attr: poisonAttr}
	poisonFS    = vfs.Statfs{TotalBytes: 1, FreeBytes: 2, FreeFiles: 0xdead}
)

const poisonByte = 0xdb

// untouched asserts that a call that returned Again has written to no result.
func (l *laneFirst) untouched(method string, pairs ...any) {
	l.t.Helper()
	for i := 0; i < len(pairs); i += 2 {
		require.True(
			l.t,
			reflect.DeepEqual(pairs[i], pairs[i+1]),
			"%s returned Again but wrote to a result: %+v",
			method,
			pairs[i+1],
		)
	}
}

// same asserts that lane and worker have returned the same.
func (l *laneFirst) same(method string, lane, worker any) {
	l.t.Helper()
	require.Equal(
		l.t,
		worker,
		lane,
		"%s on a thread that may not wait (actual) and on one that may (expected)",
		method,
	)
}

// stable removes what reading may change, so that two results can be compared.
func stable(a vfs.Attr) vfs.Attr {
	a.Atime = vfs.Time{}
	a.Used = 0 // delayed allocation
	return a
}

func stableEntry(e vfs.Entry) vfs.Entry {
	e.Attr = stable(e.Attr)
	return e
}

func (l *laneFirst) GetAttr(h vfs.Handle, a *vfs.Attr) vfs.Status {
	la, ls := poisonAttr, vfs.OK
	l.lane.run(nil, func(*vfs.Cred) { ls = l.lane.v.GetAttr(h, &la) })
	s := l.worker.GetAttr(h, a)
	if ls == vfs.Again {
		l.untouched("GetAttr", poisonAttr, la)
		return s
	}
	l.same("GetAttr", ls, s)
	if s == vfs.OK {
		l.same("GetAttr", stable(la), stable(*a))
	}
	return s
}

func (l *laneFirst) Access(
	c *vfs.Cred,
	h vfs.Handle,
	want vfs.Permission,
	a *vfs.Attr,
) (vfs.Permission, vfs.Status) {
	la, lp, ls := poisonAttr, vfs.Permission(0), vfs.OK
	l.lane.run(c, func(c *vfs.Cred) { lp, ls = l.lane.v.Access(c, h, want, &la) })
	p, s := l.worker.Access(c, h, want, a)
	if ls == vfs.Again {
		l.untouched("Access", poisonAttr, la)
		return p, s
	}
	l.same("Access", ls, s)
	if s == vfs.OK {
		l.same("Access", lp, p)
		l.same("Access", stable(la), stable(*a))
	}
	return p, s
}

func (l *laneFirst) PathConf(h vfs.Handle, c *vfs.Limits) vfs.Status {
	lc, ls := vfs.Limits{}, vfs.OK
	l.lane.run(nil, func(*vfs.Cred) { ls = l.lane.v.PathConf(h, &lc) })
	s := l.worker.PathConf(h, c)
	if ls == vfs.Again {
		l.untouched("PathConf", vfs.Limits{}, lc)
		return s
	}
	l.same("PathConf", ls, s)
	if s == vfs.OK {
		l.same("PathConf", lc, *c)
	}
	return s
}

func (l *laneFirst) Statfs(c *vfs.Cred, h vfs.Handle, f *vfs.Statfs) vfs.Status {
	lf, ls := poisonFS, vfs.OK
	l.lane.run(c, func(c *vfs.Cred) { ls = l.lane.v.Statfs(c, h, &lf) })
	s := l.worker.Statfs(c, h, f)
	if ls == vfs.Again {
		l.untouched("Statfs", poisonFS, lf)
		return s
	}
	l.same("Statfs", ls, s)
	if s == vfs.OK {
		l.same("Statfs", lf.TotalBytes, f.TotalBytes) // the rest changes on a live disc
	}
	return s
}

func (l *laneFirst) Read(c *vfs.Cred, h vfs.Handle, r *vfs.ReadArgs, a *vfs.Attr) (int, bool, vfs.Status) {
	off, dst := r.Off, r.Dst
	ldst := bytes.Repeat([]byte{poisonByte}, len(dst))
	la, ln, leof, ls := poisonAttr, 0, false, vfs.OK
	l.lane.run(
		c,
		func(c *vfs.Cred) { ln, leof, ls = l.lane.v.Read(c, h, &vfs.ReadArgs{Off: off, Dst: ldst}, &la) },
	)
	n, eof, s := l.worker.Read(c, h, &vfs.ReadArgs{Off: off, Dst: dst}, a)
	if ls == vfs.Again {
		l.untouched("Read", poisonAttr, la) // dst may hold anything
		return n, eof, s
	}
	l.same("Read", ls, s)
	if s == vfs.OK {
		l.same("Read", ln, n)
		l.same("Read", leof, eof)
		require.True(
			l.t,
			bytes.Equal(ldst[:n], dst[:n]),
			"Read gives other bytes on a thread that may not wait",
		)
		l.same("Read", stable(la), stable(*a))
	}
	return n, eof, s
}

func (l *laneFirst) ReadLink(c *vfs.Cred, h vfs.Handle, dst []byte, a *vfs.Attr) (int, vfs.Status) {
	ldst := bytes.Repeat([]byte{poisonByte}, len(dst))
	la, ln, ls := poisonAttr, 0, vfs.OK
	l.lane.run(c, func(c *vfs.Cred) { ln, ls = l.lane.v.ReadLink(c, h, ldst, &la) })
	n, s := l.worker.ReadLink(c, h, dst, a)
	if ls == vfs.Again {
		l.untouched("ReadLink", poisonAttr, la, bytes.Repeat([]byte{poisonByte}, len(dst)), ldst)
		return n, s
	}
	l.same("ReadLink", ls, s)
	if s == vfs.OK {
		l.same("ReadLink", string(ldst[:ln]), string(dst[:n]))
	}
	return n, s
}

func (l *laneFirst) Lookup(c *vfs.Cred, dir vfs.Handle, name []byte, f *vfs.Found) vfs.Status {
	e, d := f.Entry, f.Dir
	le, ld, ls := poisonEntry, poisonAttr, vfs.OK
	l.lane.run(c, func(c *vfs.Cred) { ls = l.lane.v.Lookup(c, dir, name, &vfs.Found{Entry: &le, Dir: &ld}) })
	s := l.worker.Lookup(c, dir, name, &vfs.Found{Entry: e, Dir: d})
	if ls == vfs.Again {
		l.untouched("Lookup", poisonEntry, le, poisonAttr, ld)
		return s
	}
	l.same("Lookup", ls, s)
	if s == vfs.OK {
		l.same("Lookup", stableEntry(le), stableEntry(*e))
		l.same("Lookup", stable(ld), stable(*d))
	}
	return s
}

// listed is one entry as ReadDir gave it.
type listed struct {
	fileID, cookie uint64
	name           string
	has            bool
	entry          vfs.Entry
}

func (l *laneFirst) ReadDir(
	c *vfs.Cred,
	dir vfs.Handle,
	r *vfs.ReadDirArgs,
	d *vfs.Attr,
) (uint64, bool, vfs.Status) {
	cookie, verf, plus, yield := r.Cookie, r.Verf, r.Want != 0, r.Yield
	// Let the lane list as many entries as the worker will.
	var got []listed
	v, eof, s := l.worker.ReadDir(
		c,
		dir,
		&vfs.ReadDirArgs{
			Cookie: cookie, Verf: verf, AnyVerf: r.AnyVerf, Want: Plus(plus),
			Yield: func(e *vfs.DirEntry) bool {
				got = append(got, listedOf(e))
				return yield(e)
			},
		},
		d,
	)
	var lgot []listed
	ld, lv, leof, ls := poisonAttr, uint64(0), false, vfs.OK
	l.lane.run(c, func(c *vfs.Cred) {
		lv, leof, ls = l.lane.v.ReadDir(
			c,
			dir,
			&vfs.ReadDirArgs{
				Cookie: cookie, Verf: verf, AnyVerf: r.AnyVerf, Want: Plus(plus),
				Yield: func(e *vfs.DirEntry) bool {
					lgot = append(lgot, listedOf(e))
					return len(lgot) < len(got) || eof
				},
			},
			&ld,
		)
	})
	if ls == vfs.Again {
		l.untouched("ReadDir", poisonAttr, ld)
		return v, eof, s
	}
	l.same("ReadDir", ls, s)
	if s == vfs.OK {
		l.same("ReadDir", lv, v)
		l.same("ReadDir", leof, eof)
		l.same("ReadDir", lgot, got)
	}
	return v, eof, s
}

func listedOf(e *vfs.DirEntry) listed {
	x := listed{fileID: e.FileID, cookie: e.Cookie, name: string(e.Name), has: e.HasEntry}
	if e.HasEntry {
		x.entry = stableEntry(e.Entry)
	}
	return x
}

// Walk may always wait.
func (l *laneFirst) Walk(c *vfs.Cred, path string, e *vfs.Entry) vfs.Status {
	return l.worker.Walk(c, path, e)
}
