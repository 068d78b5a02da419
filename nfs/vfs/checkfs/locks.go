package checkfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// locker is the ability to show locks.
type locker struct {
	view *view
	in   vfs.Locker
}

func (x *locker) OpenLocks(h vfs.Handle) (vfs.Locks, vfs.Status) {
	const method = "OpenLocks"
	l, s := x.in.OpenLocks(h)
	switch s = x.view.status(method, s); {
	case s == vfs.OK && l == nil:
		return nil, x.view.breach(method, "returned OK without locks")
	case s == vfs.OK && l.Sleeps() && !x.view.mayWait:
		l.Close()
		return nil, x.view.breach(method, "returned locks that may sleep to a thread that may not")
	}
	return l, s
}
