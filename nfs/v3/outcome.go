package v3

import (
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// The functions of this file end procedures. All failures are a status and attributes, or a status
// and weak cache consistency data, and so are some successes.

// status returns the status with which procedure proc answers st: the common one, unless RFC 1813
// does not list that for the procedure. A procedure that needs a regular file and gets another
// object answers INVAL (sections 3.3.2, 3.3.6, 3.3.7 and 3.3.21).
func status(proc int, st vfs.Status) nfs3.Nfsstat3 {
	if st == vfs.IsDir {
		switch proc {
		case nfs3.NFSPROC3_SETATTR, nfs3.NFSPROC3_READ, nfs3.NFSPROC3_WRITE, nfs3.NFSPROC3_COMMIT:
			st = vfs.Inval
		}
	}
	return translate.Status(st)
}

// failAttr ends a procedure that changes nothing with a failure whose results are the object's
// attributes: those in a, or if these are missing, those that o gives.
func failAttr(c *rpc.Call, proc int, st vfs.Status, o *object.Object, a *vfs.Attr) rpc.Outcome {
	if object.Waits(c, st) {
		return rpc.Wait
	}
	if !a.Filled() && !object.Gone(st) && !o.Fill(c, a) {
		return rpc.Wait
	}
	status(proc, st).Encode(&c.Reply)
	var attr nfs3.PostOpAttr
	translate.PostOp(&attr, a)
	attr.Encode(&c.Reply)
	return rpc.Done
}

// refuse ends a procedure before it has tried to change anything, with a failure
// whose results are o's weak cache consistency data.
func refuse(c *rpc.Call, proc int, st vfs.Status, o *object.Object, w *vfs.WCC) rpc.Outcome {
	if !unchanged(c, st, o, w) {
		return rpc.Wait
	}
	return end(c, proc, st, w)
}

// unchanged fills in w for an object that has not been changed, so before and after are the same.
// It reports false when the call must wait.
func unchanged(c *rpc.Call, st vfs.Status, o *object.Object, w *vfs.WCC) bool {
	if o.View == nil || object.Gone(st) {
		return true
	}
	if !o.Fill(c, &w.After) {
		return false
	}
	if w.After.Filled() {
		w.SetBefore(&w.After)
	}
	return true
}

// finish ends a procedure whose results are a status and weak cache consistency data, both after a
// success and after a failure.
func finish(c *rpc.Call, proc int, st vfs.Status, w *vfs.WCC) rpc.Outcome {
	if object.Waits(c, st) {
		return rpc.Wait
	}
	return end(c, proc, st, w)
}

// end writes a status and weak cache consistency data.
func end(c *rpc.Call, proc int, st vfs.Status, w *vfs.WCC) rpc.Outcome {
	status(proc, st).Encode(&c.Reply)
	var wcc nfs3.WccData
	translate.WCC(&wcc, w)
	wcc.Encode(&c.Reply)
	return rpc.Done
}

// unpaid returns how a procedure ends whose change could not be put on stable storage (see
// [rpc.Procedure]). attributes is as in [translate.Unpaid].
func unpaid(proc, attributes int) func(*rpc.Call, vfs.Status) {
	return func(c *rpc.Call, st vfs.Status) {
		if st != vfs.OK {
			translate.Unpaid(c, status(proc, st), attributes)
		}
	}
}

// finishMade ends CREATE, MKDIR, SYMLINK and MKNOD. Their results have the same form, so it uses
// the type of CREATE for all of them.
func (s *server) finishMade(c *rpc.Call, proc int, st vfs.Status, dir *object.Object, w *work) rpc.Outcome {
	if st != vfs.OK {
		return finish(c, proc, st, &w.wcc)
	}
	var res nfs3.CREATE3res
	res.Resok.Obj.HandleFollows = true
	res.Resok.Obj.Handle.Data = s.seal(c, dir.Export, &w.entry.Handle, w)
	translate.PostOp(&res.Resok.ObjAttributes, &w.entry.Attr)
	translate.WCC(&res.Resok.DirWcc, &w.wcc)
	res.Encode(&c.Reply)
	return rpc.Done
}
