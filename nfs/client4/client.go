package client4

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// Limits is what a client wants of its session. Zero values mean the defaults.
type Limits struct {
	Slots    uint32 // calls under way at once; 1 by default
	Request  uint32 // bytes of a call; 1 MiB and 8 KiB by default
	Response uint32 // bytes of a reply, likewise
	Kept     uint32 // bytes of a reply that the server keeps for a retransmission; 4 KiB by default
}

const (
	transferDefault = 1<<20 + 8<<10
	keptDefault     = 4 << 10
	// operations is how many a compound may have.
	operations = 16
	// program is where callbacks would go: a transient number (RFC 5531, section 8.2).
	program = 0x40000000

	pauseFirst = 10 * time.Millisecond
	pauseLast  = time.Second
	// PatienceDefault is longer than the time of grace of most servers.
	PatienceDefault = 2 * time.Minute
)

// Client is one client of a server. New makes one.
type Client struct {
	Caller client.Caller
	Minor  uint32
	Owner  []byte
	// Patience is how long Do asks again when the server wants it to.
	Patience time.Duration

	// What Establish has got.
	ID      nfs4.Clientid4
	Session nfs4.Sessionid4 // from minor version 1 on
	Granted Limits          // what the session has of what was asked for

	ctx      context.Context // ends what waits; see Until
	verifier nfs4.Verifier4
	seq      uint32 // of slot 0
	there    bool   // there is something to end
}

// New returns a client of the given minor version. owner is its name, which no other client of the
// server may have. It is borrowed.
func New(caller client.Caller, minor uint32, owner []byte) *Client {
	c := &Client{Caller: caller, Minor: minor, Owner: owner, Patience: PatienceDefault, ctx: context.Background()}
	_, _ = rand.Read(c.verifier[:]) // never fails
	return c
}

// Until lets ctx end waiting for a server that asked for it.
func (c *Client) Until(ctx context.Context) (release func()) {
	before := c.ctx
	c.ctx = ctx
	return func() { c.ctx = before }
}

// Establish makes the client known to the server, with a session from minor version 1 on. It blocks
// for round trips.
func (c *Client) Establish(want Limits) error {
	want.Slots = cmp.Or(want.Slots, 1)
	want.Request = cmp.Or(want.Request, transferDefault)
	want.Response = cmp.Or(want.Response, transferDefault)
	want.Kept = cmp.Or(want.Kept, keptDefault)
	if c.Minor == 0 {
		c.Granted = want
		return c.introduce()
	}
	res, err := c.ask(op(nfs4.OP_EXCHANGE_ID, func(a *nfs4.NfsArgop4) {
		a.OpexchangeId.EiaClientowner = nfs4.ClientOwner4{CoVerifier: c.verifier, CoOwnerid: c.Owner}
		a.OpexchangeId.EiaFlags = nfs4.EXCHGID4_FLAG_USE_NON_PNFS
	}))
	if err != nil {
		return err
	}
	known := &res[0].OpexchangeId.EirResok4
	c.ID = known.EirClientid
	seqid := known.EirSequenceid
	res, err = c.ask(op(nfs4.OP_CREATE_SESSION, func(a *nfs4.NfsArgop4) {
		a.OpcreateSession = nfs4.CREATESESSION4args{
			CsaClientid: c.ID, CsaSequence: seqid, CsaCbProgram: program,
			CsaForeChanAttrs: nfs4.ChannelAttrs4{
				CaMaxrequestsize: nfs4.Count4(want.Request), CaMaxresponsesize: nfs4.Count4(want.Response),
				CaMaxresponsesizeCached: nfs4.Count4(want.Kept), CaMaxoperations: operations,
				CaMaxrequests: nfs4.Count4(want.Slots),
			},
			CsaBackChanAttrs: nfs4.ChannelAttrs4{
				CaMaxrequestsize: 4096, CaMaxresponsesize: 4096, CaMaxoperations: 2, CaMaxrequests: 1,
			},
			CsaSecParms: []nfs4.CallbackSecParms4{{}}, // AUTH_NONE
		}
	}))
	if err != nil {
		return err
	}
	made := &res[0].OpcreateSession.CsrResok4
	c.Session, c.seq, c.there = made.CsrSessionid, 0, true
	fore := &made.CsrForeChanAttrs
	c.Granted = Limits{
		Slots: uint32(fore.CaMaxrequests), Request: uint32(fore.CaMaxrequestsize),
		Response: uint32(fore.CaMaxresponsesize), Kept: uint32(fore.CaMaxresponsesizeCached),
	}
	_, err = c.Do(op(nfs4.OP_RECLAIM_COMPLETE, func(*nfs4.NfsArgop4) {}))
	return err
}

// introduce makes a client of minor version 0 known. Its callback leads nowhere.
func (c *Client) introduce() error {
	res, err := c.Do(op(nfs4.OP_SETCLIENTID, func(a *nfs4.NfsArgop4) {
		a.Opsetclientid.Client = nfs4.NfsClientId4{Verifier: c.verifier, Id: c.Owner}
		a.Opsetclientid.Callback = nfs4.CbClient4{
			CbProgram:  program,
			CbLocation: nfs4.Netaddr4{NaRNetid: []byte("tcp"), NaRAddr: []byte("0.0.0.0.0.0")},
		}
	}))
	if err != nil {
		return err
	}
	made := res[0].Opsetclientid.Resok4
	c.ID = made.Clientid
	_, err = c.Do(op(nfs4.OP_SETCLIENTID_CONFIRM, func(a *nfs4.NfsArgop4) {
		a.OpsetclientidConfirm = nfs4.SETCLIENTIDCONFIRM4args{
			Clientid: c.ID, SetclientidConfirm: made.SetclientidConfirm,
		}
	}))
	return err
}

// Sequence returns the sequence number that slot 0 of the session was used with last. Who makes
// calls on that slot by other means goes on from there, and says by GoOn how far that went.
func (c *Client) Sequence() uint32 { return c.seq }

// GoOn has the client go on behind a sequence number of slot 0; see Sequence.
func (c *Client) GoOn(seq uint32) { c.seq = seq }

// End ends the session and makes the server forget the client, as far as minor version 0 knows no
// such thing. The caller has closed what it had opened.
func (c *Client) End() error {
	if !c.there {
		return nil
	}
	c.there = false
	// In the session, so that the connection is the session's.
	_, err := c.Do(op(nfs4.OP_DESTROY_SESSION, func(a *nfs4.NfsArgop4) {
		a.OpdestroySession.DsaSessionid = c.Session
	}))
	if err != nil {
		return err
	}
	_, err = c.ask(op(nfs4.OP_DESTROY_CLIENTID, func(a *nfs4.NfsArgop4) {
		a.OpdestroyClientid.DcaClientid = c.ID
	}))
	return err
}

// Do makes a compound and returns the results of ops, which are views that are valid until the next
// call. In minor version 0 the sequence number of an owner that had to wait is in ops afterwards.
func (c *Client) Do(ops ...nfs4.NfsArgop4) ([]nfs4.NfsResop4, error) {
	if c.Minor == 0 {
		return c.ask(ops...)
	}
	all := append([]nfs4.NfsArgop4{op(nfs4.OP_SEQUENCE, func(a *nfs4.NfsArgop4) {
		a.Opsequence.SaSessionid = c.Session
	})}, ops...)
	res, err := c.again(all, func() {
		c.seq++
		all[0].Opsequence.SaSequenceid = nfs4.Sequenceid4(c.seq)
	})
	if len(res) > 0 {
		if res[0].Opsequence.SrStatus != nfs4.NFS4_OK {
			c.seq-- // the slot is as it was
		}
		res = res[1:]
	}
	return res, err
}

// ask makes a compound without a session.
func (c *Client) ask(ops ...nfs4.NfsArgop4) ([]nfs4.NfsResop4, error) { return c.again(ops, func() {}) }

// again makes a compound as often as the server asks for it. Before each time it calls ready.
func (c *Client) again(ops []nfs4.NfsArgop4, ready func()) ([]nfs4.NfsResop4, error) {
	pause := pauseFirst
	for end := time.Now().Add(c.Patience); ; pause = min(2*pause, pauseLast) {
		ready()
		res, err := c.once(ops)
		var failed *StatusError
		if !errors.As(err, &failed) || !Later(failed.Status) {
			return res, err
		}
		if time.Now().After(end) {
			return res, fmt.Errorf("the server has asked to wait for %v: %w", c.Patience, err)
		}
		switch n := len(res); {
		case n == 1 && ops[0].Argop == nfs4.OP_SEQUENCE:
			c.seq-- // SEQUENCE itself is to come again
		case n > 0 && c.Minor == 0:
			next(&ops[n-1])
		}
		if err := c.wait(pause); err != nil {
			return res, err
		}
	}
}

// next makes the failed operation of an owner of minor version 0 that owner's next one, since the
// failed one counts (RFC 7530, section 9.1.7).
func next(a *nfs4.NfsArgop4) {
	switch a.Argop {
	case nfs4.OP_OPEN:
		a.Opopen.Seqid++
	case nfs4.OP_OPEN_CONFIRM:
		a.OpopenConfirm.Seqid++
	case nfs4.OP_CLOSE:
		a.Opclose.Seqid++
	case nfs4.OP_LOCK:
		a.Oplock.Locker.OpenOwner.OpenSeqid++
		a.Oplock.Locker.LockOwner.LockSeqid++
	case nfs4.OP_LOCKU:
		a.Oplocku.Seqid++
	default:
	}
}

// wait lets time pass.
func (c *Client) wait(d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-c.ctx.Done():
		return c.ctx.Err()
	}
}

// once makes a compound. When an operation fails, the results up to its own are returned as well.
func (c *Client) once(ops []nfs4.NfsArgop4) ([]nfs4.NfsResop4, error) {
	args := nfs4.COMPOUND4args{Minorversion: c.Minor, Argarray: ops}
	var res nfs4.COMPOUND4res
	err := c.Caller.Call(nfs4.NFS4_PROGRAM, nfs4.NFS_V4, nfs4.NFSPROC4_COMPOUND, &args, &res)
	if err != nil {
		return nil, err
	}
	n := len(res.Resarray)
	switch {
	case n > len(ops), n < len(ops) && res.Status == nfs4.NFS4_OK:
		return nil, fmt.Errorf("%d results of %d operations", n, len(ops))
	case res.Status == nfs4.NFS4_OK:
		return res.Resarray, nil
	case n == 0: // the whole compound was refused
		return nil, &StatusError{Op: ops[0].Argop, Status: res.Status}
	}
	return res.Resarray, &StatusError{Op: ops[n-1].Argop, Status: res.Status}
}
