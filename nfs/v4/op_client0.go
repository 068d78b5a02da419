package v4

import (
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state"
)

func stateClient(id uint64) state.ClientID { return state.ClientID(id) }

// setClientID is SETCLIENTID (RFC 7530, section 16.33). The callback is kept, and not used.
func (k *compound) setClientID() nfs4.Nfsstat4 {
	var a nfs4.SETCLIENTID4args
	a.Decode(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	id, confirm, st := k.s.cfg.State.SetClientID(&state.SetClient{
		Owner: a.Client.Id, Verifier: state.Verifier(a.Client.Verifier), Principal: k.principal(),
		From: k.c.Peer,
		Callback: state.Callback0{
			Program: a.Callback.CbProgram, CallbackIdent: a.CallbackIdent,
			NetID: string(a.Callback.CbLocation.NaRNetid), Addr: string(a.Callback.CbLocation.NaRAddr),
		},
	})
	e := &k.c.Reply
	if st == state.OK {
		e.Uint64(uint64(id))
		e.Fixed(confirm[:])
	}
	if st == state.ClidInUse { // the result says who has the name; that is nobody's business
		k.body = true
		e.String("tcp")
		e.String("0.0.0.0.0.0")
	}
	return nfs4.Nfsstat4(st)
}

// setClientIDConfirm is SETCLIENTID_CONFIRM (section 16.34).
func (k *compound) setClientIDConfirm() nfs4.Nfsstat4 {
	id := k.c.Args.Uint64()
	var confirm state.Verifier
	copy(confirm[:], k.c.Args.Fixed(len(confirm)))
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	return nfs4.Nfsstat4(k.s.cfg.State.ConfirmClientID(state.ClientID(id), confirm, k.principal()))
}

// renewLease is RENEW (section 16.31).
func (k *compound) renewLease() nfs4.Nfsstat4 {
	id := k.c.Args.Uint64()
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	return k.known0(id)
}
