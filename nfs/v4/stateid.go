package v4

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// decodeStateid reads a stateid4.
func decodeStateid(d *xdr.Decoder) (id files.Stateid) {
	const size = 4 + len(id.Other)
	b := (*[size]byte)(d.Run(size))
	return files.Stateid{Seq: binary.BigEndian.Uint32(b[:]), Other: files.Other(b[4:])}
}

// putStateid writes a stateid4.
func putStateid(e *xdr.Encoder, id *files.Stateid) {
	e.Uint32(id.Seq)
	e.Fixed(id.Other[:])
}

// meant puts the current stateid in the place of one that stands for it (RFC 8881, section
// 16.2.3.1.2). It reports false when there is none.
func (k *compound) meant(id *files.Stateid) bool { return k.meantBy(id, &k.stateid) }

// meantBy is meant with the stateid that goes with the current or the saved file handle.
func (k *compound) meantBy(id, own *files.Stateid) bool {
	if k.minor == 0 || *id != files.Current {
		return true
	}
	if *own == (files.Stateid{}) || *own == files.Invalid {
		return false
	}
	*id = *own
	return true
}

// file returns what the object at p is to those who keep opens and locks.
func (p *position) file() files.File { return files.File{Export: p.export.ID, Handle: p.handle} }

// caller returns who sends the compound, to those who keep opens and locks. In minor version 0
// only stateids say that.
func (k *compound) caller() files.Caller {
	by := files.Caller{Minor: uint8(k.minor), Brief: !k.c.Place.Thread.MayWait}
	if k.session != nil {
		by.Client = uint64(k.session.Client().ID())
	}
	return by
}

// recovery is what there is to know of grace.
func (k *compound) recovery(reclaim bool) files.Recovery {
	r := files.Recovery{Reclaim: reclaim, InGrace: k.s.cfg.State.InGrace()}
	if k.session != nil {
		c := k.session.Client()
		r.Complete = c.Reclaimed()
		r.Known = reclaim && c.MayReclaim()
	}
	return r
}

// mayUse says whether the current file may be used with id: read, or written.
func (k *compound) mayUse(id files.Stateid, want files.Share) nfs4.Nfsstat4 {
	return k.mayUseOf(&k.current, &k.stateid, id, want)
}

// mayUseOf is mayUse for the file at p, the current or the saved one, whose stateid is own.
func (k *compound) mayUseOf(
	p *position,
	own *files.Stateid,
	id files.Stateid,
	want files.Share,
) nfs4.Nfsstat4 {
	if !k.meantBy(&id, own) {
		return nfs4.NFS4ERR_BAD_STATEID
	}
	key := p.file()
	if id.Special() {
		return judged(k.s.files.CheckSpecial(&key, &id, want, k.recovery(false), k.caller()))
	}
	client, st := k.s.files.Check(&key, &id, k.caller(), want)
	k.renew(client)
	return judged(st)
}

// judged is what package files says, to a client or to this package.
func judged(st files.Status) nfs4.Nfsstat4 {
	if st == files.MustWait {
		return stAgain
	}
	return nfs4.Nfsstat4(st)
}

// renew renews the lease of a client of minor version 0, which shows that it is there by using
// its state.
func (k *compound) renew(client uint64) {
	if k.minor == 0 && client != 0 {
		k.s.renew(client)
	}
}
