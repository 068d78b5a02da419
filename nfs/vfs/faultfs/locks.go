package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// locker is the ability to show locks, with faults of OpenLocks.
type locker struct {
	view *view
	in   vfs.Locker
}

func (x *locker) OpenLocks(h vfs.Handle) (l vfs.Locks, s vfs.Status) {
	v := x.view
	call := v.begin(OpenLocks, nil, "")
	s = v.run(&call, func() vfs.Status { l, s = x.in.OpenLocks(h); return s }, nil)
	if s != vfs.OK && l != nil { // AfterDone
		l.Close()
		l = nil
	}
	return l, s
}
