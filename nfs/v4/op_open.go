package v4

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/object"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// opening is an OPEN in progress, in the place's scratch.
type opening struct {
	a      *nfs4.OPEN4args
	access files.Share
	deny   files.Share
	want   uint32 // what the client says of delegations
	given  bitmap // attributes for a new file
	set    bitmap // that were set
	made   bool   // the file is new
	before uint64 // the directory's change attribute
	after  uint64
	atomic bool // nothing else has happened in between
}

// open is OPEN (RFC 8881, section 18.16).
func (k *compound) open() nfs4.Nfsstat4 {
	a := &k.w.open
	a.Decode(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if !k.brief(a) {
		return stAgain
	}
	if k.minor > 0 {
		return k.openFor(uint64(k.session.Client().ID()), nil)
	}
	t, client := &k.w.turn, uint64(a.Owner.Clientid)
	if st := k.known0(client); st != nfs4.NFS4_OK {
		return st
	}
	if st := k.s.cfg.State.Ensure(stateClient(client)); st != state.OK {
		return nfs4.Nfsstat4(st)
	}
	v := k.s.files.BeginOpen(t, client, a.Owner.Owner, uint32(nfs4.OP_OPEN), uint32(a.Seqid))
	return k.inTurn(v, t, func() nfs4.Nfsstat4 { return k.openFor(client, t) })
}

// brief reports whether this place may try an OPEN: a lane one that makes nothing and that goes
// back to no client's record. What turns out to wait all the same is run again on a worker, as any
// operation.
func (k *compound) brief(a *nfs4.OPEN4args) bool {
	return k.c.Place.Thread.MayWait || k.minor > 0 && a.Openhow.Opentype == nfs4.OPEN4_NOCREATE &&
		(a.Claim.Claim == nfs4.CLAIM_NULL || a.Claim.Claim == nfs4.CLAIM_FH)
}

// openFor opens for a client. A file is looked for before the open is recorded, and may go in
// between, with its name or for another that takes it; then the name is looked for again. From the
// record on the file stays.
func (k *compound) openFor(client uint64, turn *files.Turn) nfs4.Nfsstat4 {
	dir := k.current
	for range triesMax {
		st, gone := k.openOnce(client, turn)
		if st == nfs4.NFS4_OK && !gone {
			return st
		}
		switch k.current = dir; {
		case !gone:
			return st
		case k.w.open.Claim.Claim != nfs4.CLAIM_NULL:
			return nfs4.NFS4ERR_STALE
		}
	}
	return nfs4.NFS4ERR_DELAY
}

// openOnce is one attempt of openFor. It says gone if it was in vain for that reason.
func (k *compound) openOnce(client uint64, turn *files.Turn) (st nfs4.Nfsstat4, gone bool) {
	a := &k.w.open
	o := opening{a: a, access: files.Share(a.ShareAccess & 3), deny: files.Share(a.ShareDeny & 3)}
	o.want = a.ShareAccess &^ 3
	switch {
	case o.access == 0 || a.ShareDeny > 3:
		return nfs4.NFS4ERR_INVAL, false
	case o.want != 0 && (k.minor == 0 || o.want&^wants != 0):
		return nfs4.NFS4ERR_INVAL, false
	}
	reclaim := false
	switch a.Claim.Claim {
	case nfs4.CLAIM_NULL:
		st = k.openNamed(&o)
	case nfs4.CLAIM_FH, nfs4.CLAIM_PREVIOUS:
		reclaim = a.Claim.Claim == nfs4.CLAIM_PREVIOUS
		switch {
		case k.minor == 0 && !reclaim:
			return nfs4.NFS4ERR_INVAL, false
		case a.Openhow.Opentype == nfs4.OPEN4_CREATE:
			return nfs4.NFS4ERR_INVAL, false
		}
		st = k.openThis(&o, !reclaim)
	default: // there are no delegations
		return nfs4.NFS4ERR_NOTSUPP, false
	}
	if st != nfs4.NFS4_OK {
		return st, false
	}
	key := k.current.file()
	args := files.OpenArgs{
		Client:   client,
		Owner:    a.Owner.Owner,
		Turn:     turn,
		Access:   o.access,
		Deny:     o.deny,
		Brief:    !k.c.Place.Thread.MayWait,
		Recovery: k.recovery(reclaim),
	}
	if k.minor == 0 && reclaim {
		args.Known = k.s.cfg.State.MayReclaim(stateClient(client))
	}
	res := &k.w.opened
	switch st = nfs4.Nfsstat4(k.s.files.Open(&key, &args, res)); st {
	case nfs4.NFS4_OK:
	case files.MustWait:
		return stAgain, false
	default:
		return st, false
	}
	gone, st = k.vanished()
	known := &k.w.attr
	if st == nfs4.NFS4_OK && !gone && !o.made && k.w.set.HasSize {
		st, known = k.truncate(&o), &k.w.wcc.After
	}
	if st == nfs4.NFS4_OK && turn != nil && k.c.Place.Thread.Debts.Owing() {
		// The owner's last reply is kept in the turn.
		st = k.status(k.c.Place.Thread.Debts.PayAll())
	}
	if gone || st != nfs4.NFS4_OK {
		k.s.files.Undo(res)
		return st, gone
	}
	if reclaim {
		k.s.cfg.State.ExtendGrace()
	}
	k.learn(known)
	k.stateid = res.Stateid
	k.putOpened(&o, res)
	return nfs4.NFS4_OK, false
}

// vanished reports whether the current file is no more. If it is there, its attributes are in the
// place's attr, not filled in where they could not be had. The status is OK or stAgain.
func (k *compound) vanished() (gone bool, st nfs4.Nfsstat4) {
	k.w.attr.Mask = 0
	x, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return false, nfs4.NFS4_OK
	}
	s := x.View.GetAttr(x.Handle, &k.w.attr)
	if s == vfs.Again && k.status(s) == stAgain {
		return false, stAgain
	}
	if s != vfs.OK {
		k.w.attr.Mask = 0
	}
	return s == vfs.Stale, nfs4.NFS4_OK
}

// wants is what a client of minor version 1 and later may say of delegations.
const wants = nfs4.OPEN4_SHARE_ACCESS_WANT_DELEG_MASK | nfs4.OPEN4_SHARE_ACCESS_WANT_SIGNAL_DELEG_WHEN_RESRC_AVAIL |
	nfs4.OPEN4_SHARE_ACCESS_WANT_PUSH_DELEG_WHEN_UNCONTENDED | nfs4.OPEN4_SHARE_ACCESS_WANT_DELEG_TIMESTAMPS |
	nfs4.OPEN4_SHARE_ACCESS_WANT_OPEN_XOR_DELEGATION

// putOpened writes an OPEN4resok.
func (k *compound) putOpened(o *opening, res *files.Opened) {
	e := &k.c.Reply
	putStateid(e, &res.Stateid)
	e.Bool(o.atomic)
	e.Uint64(o.before)
	e.Uint64(o.after)
	flags := uint32(nfs4.OPEN4_RESULT_LOCKTYPE_POSIX)
	if k.minor > 0 && k.session.Answers() {
		flags |= nfs4.OPEN4_RESULT_MAY_NOTIFY_LOCK
	}
	if res.Confirm {
		flags |= nfs4.OPEN4_RESULT_CONFIRM
	}
	e.Uint32(flags)
	o.set.encode(e)
	if o.want&nfs4.OPEN4_SHARE_ACCESS_WANT_DELEG_MASK == 0 {
		e.Uint32(uint32(nfs4.OPEN_DELEGATE_NONE))
		return
	}
	e.Uint32(uint32(nfs4.OPEN_DELEGATE_NONE_EXT))
	if o.want&nfs4.OPEN4_SHARE_ACCESS_WANT_DELEG_MASK == nfs4.OPEN4_SHARE_ACCESS_WANT_NO_DELEG {
		e.Uint32(uint32(nfs4.WND4_NOT_WANTED))
		return
	}
	e.Uint32(uint32(nfs4.WND4_NOT_SUPP_FTYPE))
}

// openThis opens the current file handle's own object.
func (k *compound) openThis(o *opening, check bool) nfs4.Nfsstat4 {
	k.w.set = vfs.SetAttr{}
	if k.current.node != nil {
		return nfs4.NFS4ERR_ISDIR
	}
	x, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	if s := x.View.GetAttr(x.Handle, &k.w.attr); s != vfs.OK {
		return k.status(s)
	}
	if st = openable(&k.w.attr); st != nfs4.NFS4_OK || !check {
		return st
	}
	return k.permitted(&x, o)
}

// openable says why an object cannot be opened. To SYMLINK a Linux client looks the name up, and
// opens a FIFO or a device by itself. RFC 8881, section 18.16.3, has WRONG_TYPE for these, of which
// that client makes an I/O error.
func openable(a *vfs.Attr) nfs4.Nfsstat4 {
	switch a.Type {
	case vfs.TypeReg:
		return nfs4.NFS4_OK
	case vfs.TypeDir:
		return nfs4.NFS4ERR_ISDIR
	default:
		return nfs4.NFS4ERR_SYMLINK
	}
}

// hasContent says why an object has no content to work on (RFC 8881, sections 18.22.3 and others;
// RFC 7530, section 16.23.4).
func (k *compound) hasContent(a *vfs.Attr) nfs4.Nfsstat4 {
	switch {
	case a.Type == vfs.TypeReg:
		return nfs4.NFS4_OK
	case a.Type == vfs.TypeDir:
		return nfs4.NFS4ERR_ISDIR
	case k.minor == 0:
		return nfs4.NFS4ERR_INVAL
	case a.Type == vfs.TypeLnk:
		return nfs4.NFS4ERR_SYMLINK
	default:
		return nfs4.NFS4ERR_WRONG_TYPE
	}
}

// dataFailed is k.status for an operation on the content of o. It looks at what o is.
func (k *compound) dataFailed(o *object.Object, s vfs.Status) nfs4.Nfsstat4 {
	if s == vfs.Inval {
		if st := k.contentOf(o); st != nfs4.NFS4_OK {
			return st
		}
	}
	return k.status(s)
}

// contentOf asks what o is, and says why it has no content.
func (k *compound) contentOf(o *object.Object) nfs4.Nfsstat4 {
	if s := o.View.GetAttr(o.Handle, &k.w.attr); s != vfs.OK {
		return k.status(s)
	}
	return k.hasContent(&k.w.attr)
}

// permitted asks the kernel whether the caller may open the object as it wants to.
func (k *compound) permitted(x *object.Object, o *opening) nfs4.Nfsstat4 {
	want := vfs.Permission(0)
	if o.access&files.Read != 0 {
		want |= vfs.MayRead
	}
	if o.access&files.Write != 0 {
		if x.Export.ReadOnly {
			return nfs4.NFS4ERR_ROFS
		}
		want |= vfs.MayWrite
	}
	got, s := x.View.Access(x.Cred(k.c), x.Handle, want, &k.w.attr)
	if s == vfs.OK && got&vfs.MayRead == 0 && want&vfs.MayRead != 0 {
		// Who may execute a file may have it read for that.
		exec, t := x.View.Access(x.Cred(k.c), x.Handle, vfs.MayExec, &k.w.attr)
		if s = t; exec != 0 {
			got |= vfs.MayRead
		}
	}
	switch {
	case s != vfs.OK:
		return k.status(s)
	case got&want != want:
		return nfs4.NFS4ERR_ACCESS
	}
	return nfs4.NFS4_OK
}

// triesMax is how often an OPEN looks for a name that others make and remove meanwhile.
const triesMax = 16

// openNamed finds or makes the file of a name in the current directory, and makes it the
// current file handle.
func (k *compound) openNamed(o *opening) nfs4.Nfsstat4 {
	name := []byte(o.a.Claim.File)
	if st := checkName(name); st != nfs4.NFS4_OK {
		return st
	}
	w := k.w
	w.set = vfs.SetAttr{}
	create := o.a.Openhow.Opentype == nfs4.OPEN4_CREATE
	if create {
		if st := k.attributesOf(o); st != nfs4.NFS4_OK {
			return st
		}
	}
	if k.current.node != nil {
		if create {
			return nfs4.NFS4ERR_ROFS
		}
		if kid := k.current.node.kid(name); kid != nil && kid.shows(k.c) {
			return nfs4.NFS4ERR_ISDIR
		}
		return nfs4.NFS4ERR_NOENT
	}
	dir, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	if create && dir.Export.ReadOnly {
		return nfs4.NFS4ERR_ROFS
	}
	for range triesMax {
		switch how := o.a.Openhow.How.Mode; {
		case !create:
			st = k.openFound(o, &dir, name)
		case how == nfs4.EXCLUSIVE4 || how == nfs4.EXCLUSIVE4_1:
			st = k.makeExclusive(o, &dir, name)
		default:
			st = k.makeFile(o, &dir, name, vfs.Guarded)
			if st == nfs4.NFS4ERR_EXIST && how == nfs4.UNCHECKED4 {
				st = k.openFound(o, &dir, name)
				if st == nfs4.NFS4ERR_NOENT {
					continue // it has just been removed
				}
				if w.set.HasSize = w.set.HasSize && w.set.Size == 0; w.set.HasSize {
					o.set.add(nfs4.FATTR4_SIZE)
				}
				return st
			}
		}
		return st
	}
	return nfs4.NFS4ERR_DELAY
}

// attributesOf reads the attributes that a new file is to have.
func (k *compound) attributesOf(o *opening) (st nfs4.Nfsstat4) {
	how := &o.a.Openhow.How
	switch how.Mode {
	case nfs4.UNCHECKED4, nfs4.GUARDED4:
		o.given, st = k.setOf(&how.Createattrs, &settable[k.minor])
	case nfs4.EXCLUSIVE4:
	case nfs4.EXCLUSIVE4_1:
		if k.minor == 0 {
			return nfs4.NFS4ERR_BADXDR
		}
		o.given, st = k.setOf(&how.ChCreateboth.CvaAttrs, &exclusive[k.minor])
	default:
		return nfs4.NFS4ERR_BADXDR
	}
	return st
}

// openFound opens a file that is there.
func (k *compound) openFound(o *opening, dir *object.Object, name []byte) nfs4.Nfsstat4 {
	w := k.w
	if s := dir.View.Lookup(dir.Cred(k.c), dir.Handle, name, &w.found); s != vfs.OK {
		return k.status(s)
	}
	o.before = k.s.change(&w.attr, w.values.clock)
	o.after = o.before
	if !w.entry.Attr.Filled() {
		if s := dir.View.GetAttr(w.entry.Handle, &w.entry.Attr); s != vfs.OK {
			return k.status(s)
		}
	}
	if st := openable(&w.entry.Attr); st != nfs4.NFS4_OK {
		return st
	}
	x := *dir
	x.Handle = w.entry.Handle
	k.at(dir.Export, &w.entry.Handle)
	return k.permitted(&x, o)
}

// makeFile makes a new file.
func (k *compound) makeFile(o *opening, dir *object.Object, name []byte, how vfs.CreateHow) nfs4.Nfsstat4 {
	w := k.w
	w.wcc = vfs.WCC{}
	w.create = vfs.CreateArgs{Name: name, How: how, Set: &w.set}
	if st := k.unmask(dir); st != nfs4.NFS4_OK {
		return st
	}
	if how == vfs.Exclusive {
		verf := &o.a.Openhow.How.Createverf
		if o.a.Openhow.How.Mode == nfs4.EXCLUSIVE4_1 {
			verf = &o.a.Openhow.How.ChCreateboth.CvaVerf
		}
		w.create.Verf = binary.BigEndian.Uint64(verf[:])
		w.create.Set, w.create.Mode = nil, w.set.Mode
	}
	if s := dir.View.Create(dir.Cred(k.c), dir.Handle, &w.create, &w.made); s != vfs.OK {
		return k.status(s)
	}
	o.made, o.set = true, o.given
	o.before, o.after = k.s.wccChange(&w.wcc, w.values.clock)
	o.atomic = k.s.atomic(&w.wcc, w.values.clock)
	k.at(dir.Export, &w.entry.Handle)
	return nfs4.NFS4_OK
}

// makeExclusive makes a file that a later OPEN with the same verifier finds again. The verifier is
// kept in the times. The client is told so, and has to set them afterwards.
func (k *compound) makeExclusive(o *opening, dir *object.Object, name []byte) nfs4.Nfsstat4 {
	w := k.w
	if st := k.makeFile(o, dir, name, vfs.Exclusive); st != nfs4.NFS4_OK {
		return st
	}
	o.set.add(nfs4.FATTR4_TIME_ACCESS_SET)
	o.set.add(nfs4.FATTR4_TIME_MODIFY_SET)
	if o.a.Openhow.How.Mode == nfs4.EXCLUSIVE4 {
		return nfs4.NFS4_OK
	}
	if w.set.Mode&setIDs == 0 { // the file has been made with it
		w.set.HasMode, w.set.Mode = false, 0
	}
	if w.set == (vfs.SetAttr{}) {
		return nfs4.NFS4_OK
	}
	return k.status(dir.View.SetAttr(dir.Cred(k.c), w.entry.Handle, &w.set, new(vfs.WCC)))
}

// truncate sets the size of a file that was there to 0, as an UNCHECKED4 OPEN asks for.
func (k *compound) truncate(o *opening) nfs4.Nfsstat4 {
	if o.access&files.Write == 0 {
		return nfs4.NFS4ERR_INVAL
	}
	x, st := k.changeable(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	w := k.w
	w.set, w.wcc = vfs.SetAttr{HasSize: true}, vfs.WCC{}
	return k.status(x.View.SetAttr(x.Cred(k.c), x.Handle, &w.set, &w.wcc))
}
