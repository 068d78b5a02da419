package v4

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
)

const (
	// replyHeader is what a reply has before the results of its COMPOUND: the header of an
	// accepted call. A session's limits count it.
	replyHeader = 24
	// callHeader is what a call has before the arguments of its COMPOUND, without the body of
	// its credential.
	callHeader = 40
	// emptyHead is what the results of a COMPOUND begin with when its tag is empty: status, tag,
	// number of results.
	emptyHead = 4 + 4 + 4
	// argsSequence and resSequence are the sizes of SEQUENCE4args and SEQUENCE4resok.
	argsSequence = 16 + 4*4
	resSequence  = 16 + 5*4
	// digestMax is how many bytes of a request its digest is made of.
	digestMax = 256
)

// principal is who the caller is, to those that remember clients.
func (k *compound) principal() state.Principal {
	a := &k.c.Auth
	return state.Principal{Flavor: a.Flavor, UID: a.UID}
}

// sequence is SEQUENCE (RFC 8881, section 18.46).
func (k *compound) sequence() nfs4.Nfsstat4 {
	c := k.c
	d := &c.Args
	args, be := (*[argsSequence]byte)(d.Run(argsSequence)), binary.BigEndian
	a := state.Sequence{
		Session: state.SessionID(args[:16]), Seqid: be.Uint32(args[16:]), Slot: be.Uint32(args[20:]),
		Highest: be.Uint32(args[24:]), CacheThis: d.Truth(be.Uint32(args[28:])), Conn: c.Conn,
	}
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	left := d.Left()
	head := d.Ahead(min(left, digestMax) &^ 3)
	if head == nil { // in pieces
		rest := *d
		head = rest.Fixed(min(left, digestMax) &^ 3)
	}
	a.Digest = k.s.cfg.State.Digest(uint64(c.Auth.UID)<<32|uint64(c.Auth.Flavor), left, head)
	a.Size = uint32(callHeader + len(c.Credential()) + c.ArgsSize())
	a.Ops, a.Now = k.count, k.second()
	a.More = uint32(c.Reply.Len() - k.base - resultHeader - emptyHead)
	if k.count > 1 {
		a.More += failureMax
	}
	verdict, st := k.s.cfg.State.Begin(&a, &k.ticket)
	switch verdict {
	case state.Refused:
		return nfs4.Nfsstat4(st)
	case state.Replay:
		return k.replay()
	case state.Uncached:
		k.uncached = true
	case state.First:
		k.session = k.ticket.Session()
		if k.session.ToProve() && k.s.cfg.Callbacks != nil {
			k.s.cfg.Callbacks.probe(k.session)
		}
		fore := k.session.Fore()
		k.replyMax = int(fore.ReplyMax) - replyHeader
		if k.ticket.Keeps() {
			// What is kept must be in memory.
			c.Pipes = nil
			k.replyMax = min(k.replyMax, int(fore.KeptMax)-replyHeader)
		}
		k.bound()
	}
	if b := c.Reply.Reserve(resSequence); b != nil {
		res := (*[resSequence]byte)(b)
		copy(res[:16], a.Session[:])
		be.PutUint32(res[16:], a.Seqid)
		be.PutUint32(res[20:], a.Slot)
		be.PutUint32(res[24:], k.ticket.HighestSlot)
		be.PutUint32(res[28:], k.ticket.TargetSlot)
		be.PutUint32(res[32:], k.ticket.StatusFlags)
	}
	return nfs4.NFS4_OK
}

// second returns the time of the clock of leases. A lane asks for it once for all calls that it has
// received together, as they had all arrived then.
func (k *compound) second() uint32 {
	w := k.w
	if w.secondIn.over(k.c.Place.Thread) {
		w.second = k.s.cfg.State.Now()
	}
	return w.second
}

// replay answers with the results of the first time.
func (k *compound) replay() nfs4.Nfsstat4 {
	e := &k.c.Reply
	e.Truncate(k.base)
	n := len(k.ticket.Reply)
	if !k.c.Room(n) {
		k.ticket.Replayed()
		return stGrow
	}
	copy(e.Reserve(n), k.ticket.Reply)
	k.ticket.Replayed()
	return stOver
}

// exchangeID is EXCHANGE_ID (section 18.35).
func (k *compound) exchangeID() nfs4.Nfsstat4 {
	var a nfs4.EXCHANGEID4args
	a.Decode(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	r, st := k.s.cfg.State.ExchangeID(&state.Exchange{
		Owner: a.EiaClientowner.CoOwnerid, Verifier: state.Verifier(a.EiaClientowner.CoVerifier),
		Flags: a.EiaFlags, Protect: state.Protection(a.EiaStateProtect.SpaHow), Principal: k.principal(),
		From: k.c.Peer,
	})
	if st != state.OK {
		return nfs4.Nfsstat4(st)
	}
	self := k.s.cfg.State.Server()
	res := nfs4.EXCHANGEID4resok{
		EirClientid: nfs4.Clientid4(r.Client), EirSequenceid: nfs4.Sequenceid4(r.Seqid), EirFlags: r.Flags,
		EirStateProtect: nfs4.StateProtect4R{SprHow: nfs4.SP4_NONE},
		EirServerOwner:  nfs4.ServerOwner4{SoMinorId: self.Minor, SoMajorId: self.Major},
		EirServerScope:  self.Scope,
	}
	res.Encode(&k.c.Reply)
	return nfs4.NFS4_OK
}

func channelOf(a *nfs4.ChannelAttrs4) state.Channel {
	return state.Channel{
		HeaderPad:  uint32(a.CaHeaderpadsize),
		RequestMax: uint32(a.CaMaxrequestsize),
		ReplyMax:   uint32(a.CaMaxresponsesize),
		KeptMax:    uint32(a.CaMaxresponsesizeCached),
		Ops:        uint32(a.CaMaxoperations),
		Slots:      uint32(a.CaMaxrequests),
	}
}

func attrsOf(c *state.Channel) nfs4.ChannelAttrs4 {
	return nfs4.ChannelAttrs4{
		CaHeaderpadsize: nfs4.Count4(c.HeaderPad), CaMaxrequestsize: nfs4.Count4(c.RequestMax),
		CaMaxresponsesize: nfs4.Count4(c.ReplyMax), CaMaxresponsesizeCached: nfs4.Count4(c.KeptMax),
		CaMaxoperations: nfs4.Count4(c.Ops), CaMaxrequests: nfs4.Count4(c.Slots),
	}
}

// callbackOf returns how a client wants to be called back. What it refers to is its own.
func callbackOf(program uint32, list []nfs4.CallbackSecParms4) state.Callback {
	cb := state.Callback{Program: program}
	for i := range list {
		p := &list[i]
		s := state.Security{Flavor: p.CbSecflavor}
		if p.CbSecflavor == rpc.AuthSys {
			s.UID, s.GID = p.CbspSysCred.Uid, p.CbspSysCred.Gid
			s.Machine = string(p.CbspSysCred.Machinename)
			s.GIDs = append(s.GIDs, p.CbspSysCred.Gids...)
		}
		cb.Security = append(cb.Security, s)
	}
	return cb
}

// createSession is CREATE_SESSION (section 18.36).
func (k *compound) createSession() nfs4.Nfsstat4 {
	var a nfs4.CREATESESSION4args
	a.Decode(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	r, st := k.s.cfg.State.CreateSession(&state.Create{
		Client: state.ClientID(a.CsaClientid), Seqid: uint32(a.CsaSequence), Flags: a.CsaFlags,
		Fore: channelOf(&a.CsaForeChanAttrs), Back: channelOf(&a.CsaBackChanAttrs),
		Callback: callbackOf(a.CsaCbProgram, a.CsaSecParms), Principal: k.principal(), Conn: k.c.Conn,
		Minor: uint8(k.minor),
	})
	if st != state.OK {
		return nfs4.Nfsstat4(st)
	}
	res := nfs4.CREATESESSION4resok{
		CsrSessionid: nfs4.Sessionid4(r.Session), CsrSequence: nfs4.Sequenceid4(r.Seqid), CsrFlags: r.Flags,
		CsrForeChanAttrs: attrsOf(&r.Fore), CsrBackChanAttrs: attrsOf(&r.Back),
	}
	res.Encode(&k.c.Reply)
	return nfs4.NFS4_OK
}

// destroySession is DESTROY_SESSION (section 18.37). The session that the compound itself is
// in can only go with the compound's last operation.
func (k *compound) destroySession() nfs4.Nfsstat4 {
	var id state.SessionID
	copy(id[:], k.c.Args.Fixed(len(id)))
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	if k.session != nil && k.session.ID() == id && k.next != k.count-1 {
		return nfs4.NFS4ERR_NOT_ONLY_OP
	}
	return nfs4.Nfsstat4(k.s.cfg.State.DestroySession(id, k.c.Conn))
}

// destroyClientID is DESTROY_CLIENTID (section 18.50).
func (k *compound) destroyClientID() nfs4.Nfsstat4 {
	id := state.ClientID(k.c.Args.Uint64())
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	return nfs4.Nfsstat4(k.s.cfg.State.DestroyClient(id))
}

// bindConn is BIND_CONN_TO_SESSION (section 18.34).
func (k *compound) bindConn() nfs4.Nfsstat4 {
	var a nfs4.BINDCONNTOSESSION4args
	a.Decode(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	dir, st := k.s.cfg.State.BindConn(state.SessionID(a.BctsaSessid), k.c.Conn, state.Direction(a.BctsaDir))
	if st != state.OK {
		return nfs4.Nfsstat4(st)
	}
	e := &k.c.Reply
	e.Fixed(a.BctsaSessid[:])
	e.Uint32(uint32(dir))
	e.Bool(false) // no RDMA
	return nfs4.NFS4_OK
}

// reclaimComplete is RECLAIM_COMPLETE (section 18.51).
func (k *compound) reclaimComplete() nfs4.Nfsstat4 {
	oneFS := k.c.Args.Bool()
	switch {
	case k.bad():
		return nfs4.NFS4ERR_BADXDR
	case oneFS && k.current.none():
		return nfs4.NFS4ERR_NOFILEHANDLE
	}
	return nfs4.Nfsstat4(k.s.cfg.State.ReclaimComplete(k.session.Client(), oneFS))
}

// backchannelCtl is BACKCHANNEL_CTL (section 18.33).
func (k *compound) backchannelCtl() nfs4.Nfsstat4 {
	var a nfs4.BACKCHANNELCTL4args
	a.Decode(&k.c.Args)
	if k.bad() {
		return nfs4.NFS4ERR_BADXDR
	}
	return nfs4.Nfsstat4(k.session.SetCallback(callbackOf(a.BcaCbProgram, a.BcaSecParms)))
}
