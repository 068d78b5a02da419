package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// deniedWorst is how many bytes a LOCK4denied can have: of an owner of NFS4_OPAQUE_LIMIT bytes.
const deniedWorst = 8 + 8 + 4 + 8 + 4 + nfs4.NFS4_OPAQUE_LIMIT

// lockKind returns what a nfs_lock_type4 locks, and whether its owner would wait.
func lockKind(t uint32) (kind ranges.Kind, wait, ok bool) {
	switch nfs4.NfsLockType4(t) {
	case nfs4.READ_LT:
		return ranges.Read, false, true
	case nfs4.WRITE_LT:
		return ranges.Write, false, true
	case nfs4.READW_LT:
		return ranges.Read, true, true
	case nfs4.WRITEW_LT:
		return ranges.Write, true, true
	}
	return ranges.None, false, false
}

// lock is LOCK (RFC 8881, section 18.10).
func (k *compound) lock() nfs4.Nfsstat4 {
	d := &k.c.Args
	kind, wait, known := lockKind(d.Uint32())
	reclaim := d.Bool()
	a := files.LockArgs{Kind: kind, Wait: wait, Offset: d.Uint64(), Length: d.Uint64(), New: d.Bool()}
	var seqid uint32
	var client uint64
	if a.New {
		seqid = d.Uint32()
		a.Stateid = decodeStateid(d)
		a.LockSeq = d.Uint32()
		client = d.Uint64() // from minor version 1 on it is the session's
		a.Owner = d.Opaque(nfs4.NFS4_OPAQUE_LIMIT)
	} else {
		a.Stateid = decodeStateid(d)
		seqid = d.Uint32()
	}
	if k.bad() || !known {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := k.lockable(); st != nfs4.NFS4_OK {
		return st
	}
	if k.minor == 0 && !k.c.Place.Thread.MayWait {
		return stAgain // an owner's turn is taken once, and somebody may have to lose a lock for it
	}
	if k.minor == 0 && a.New {
		if st := k.known0(client); st != nfs4.NFS4_OK {
			return st
		}
	}
	if k.current.export == nil {
		return nfs4.NFS4ERR_BAD_STATEID
	}
	key := k.current.file()
	on, st := k.showing(&key)
	switch {
	case on:
		defer k.s.cfg.Keeper.mirror.end(&key)
	case st == stAgain:
		return st
	}
	return k.ofState(nfs4.OP_LOCK, &a.Stateid, seqid, func(t *files.Turn) nfs4.Nfsstat4 {
		if st != nfs4.NFS4_OK { // within the turn, for the owner's number counts
			return st
		}
		if a.New && t != nil && t.Client != 0 && t.Client != client {
			return nfs4.NFS4ERR_BAD_STATEID // a client locks what it has opened itself
		}
		a.Target, a.Recovery = *k.target(&a.Stateid, t), k.recovery(reclaim)
		a.Known = reclaim // in grace an open is one that was reclaimed
		got, st := k.s.files.Lock(&a, &k.w.held)
		switch {
		case st == files.Denied:
			return k.denied()
		case st == files.BadStateid:
			if why := k.isFile(); why != nfs4.NFS4_OK {
				return why
			}
		case st == files.OK && reclaim:
			k.s.cfg.State.ExtendGrace()
		}
		return k.stated(&got, st)
	})
}

// lockable says why the current object cannot be locked.
func (k *compound) lockable() nfs4.Nfsstat4 {
	if k.current.node != nil {
		return nfs4.NFS4ERR_ISDIR
	}
	return nfs4.NFS4_OK
}

// denied ends an operation that the lock in k.w.held stands in the way of.
func (k *compound) denied() nfs4.Nfsstat4 {
	l, e := &k.w.held, &k.c.Reply
	k.body = true
	e.Uint64(l.Offset)
	e.Uint64(l.Length)
	if l.Kind == ranges.Write {
		e.Uint32(uint32(nfs4.WRITE_LT))
	} else {
		e.Uint32(uint32(nfs4.READ_LT))
	}
	e.Uint64(l.Client)
	e.String(l.Owner)
	return nfs4.NFS4ERR_DENIED
}

// lockt is LOCKT (section 18.11).
func (k *compound) lockt() nfs4.Nfsstat4 {
	d := &k.c.Args
	kind, _, known := lockKind(d.Uint32())
	a := files.TestArgs{Kind: kind, Offset: d.Uint64(), Length: d.Uint64()}
	client := d.Uint64()
	a.Owner = d.Opaque(nfs4.NFS4_OPAQUE_LIMIT)
	if k.bad() || !known {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := k.lockable(); st != nfs4.NFS4_OK {
		return st
	}
	if st := k.isFile(); st != nfs4.NFS4_OK {
		return st
	}
	if a.By = k.caller(); k.minor == 0 {
		if st := k.known0(client); st != nfs4.NFS4_OK {
			return st
		}
		a.By.Client = client
	}
	key := k.current.file()
	on, st := k.showing(&key)
	switch {
	case on:
		defer k.s.cfg.Keeper.mirror.end(&key)
	case st != nfs4.NFS4_OK:
		return st
	}
	a.Recovery = k.recovery(false)
	got := k.s.files.LockT(&key, &a, &k.w.held)
	if got == files.Denied {
		return k.denied()
	}
	return judged(got)
}

// isFile says why the current object is no regular file.
func (k *compound) isFile() nfs4.Nfsstat4 {
	o, st := k.object(&k.current)
	if st != nfs4.NFS4_OK {
		return st
	}
	return k.contentOf(&o)
}

// locku is LOCKU (section 18.12).
func (k *compound) locku() nfs4.Nfsstat4 {
	d := &k.c.Args
	_, _, known := lockKind(d.Uint32())
	seqid := d.Uint32()
	id := decodeStateid(d)
	off, n := d.Uint64(), d.Uint64()
	if k.bad() || !known {
		return nfs4.NFS4ERR_BADXDR
	}
	if k.unlocksLater() {
		return stAgain
	}
	return k.ofState(nfs4.OP_LOCKU, &id, seqid, func(t *files.Turn) nfs4.Nfsstat4 {
		got, st := k.s.files.LockU(k.target(&id, t), off, n)
		return k.stated(&got, st)
	})
}

// releaseLockOwner is RELEASE_LOCKOWNER (RFC 7530, section 16.37).
func (k *compound) releaseLockOwner() nfs4.Nfsstat4 {
	client := k.c.Args.Uint64()
	owner := k.c.Args.Opaque(nfs4.NFS4_OPAQUE_LIMIT)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if st := k.known0(client); st != nfs4.NFS4_OK {
		return st
	}
	return nfs4.Nfsstat4(k.s.files.ReleaseLockOwner(client, owner))
}
