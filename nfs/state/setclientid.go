package state

import "net/netip"

// legacy is what a client of version 4.0 has beside: how to call it back, and what it has
// asked for and not yet confirmed. Guarded by Table.mu.
type legacy struct {
	confirm  Verifier // of the last SETCLIENTID that was confirmed, or the first
	callback Callback0
	pending  *pending
}

// pending is a change of the callback that SETCLIENTID_CONFIRM will make.
type pending struct {
	confirm  Verifier
	callback Callback0
}

// Callback0 is how a client of version 4.0 wants to be called back. It is remembered; nobody
// calls.
type Callback0 struct {
	Program       uint32
	NetID, Addr   string
	CallbackIdent uint32
}

// addrMax bounds NetID and Addr, in bytes. A universal address of IPv6 has some 50.
const addrMax = 128

// brief returns the callback without an address that is none: a client may send any number of
// bytes, which would be kept.
func (cb Callback0) brief() Callback0 {
	if len(cb.NetID) > addrMax || len(cb.Addr) > addrMax {
		cb.NetID, cb.Addr = "", ""
	}
	return cb
}

// SetClient is what SETCLIENTID asks. Owner is borrowed.
type SetClient struct {
	Owner     []byte
	Verifier  Verifier
	Callback  Callback0
	Principal Principal
	From      netip.AddrPort // where it comes from: only for Info
}

// SetClientID is SETCLIENTID (RFC 7530 section 16.33). It returns what to confirm with. What
// a confirmed client holds stays untouched, and so does its callback, until that.
func (t *Table) SetClientID(a *SetClient) (ClientID, Verifier, Status) {
	if len(a.Owner) > ownerMax {
		return 0, Verifier{}, Inval
	}
	var confirm Verifier
	if !t.mint.Draw(confirm[:]) {
		return 0, Verifier{}, ServerFault
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	old := t.confirmed[string(a.Owner)]
	if old != nil && (old.principal != a.Principal || old.minor != 0) && old.inUse() {
		return 0, Verifier{}, ClidInUse
	}
	t.dropFresh(t.fresh.byOwner[string(a.Owner)])
	if old != nil && old.minor == 0 && old.phase == confirmed &&
		old.verifier == a.Verifier && old.principal == a.Principal {
		old.v0.pending = &pending{confirm, a.Callback.brief()}
		old.from = a.From
		return old.id, confirm, OK
	}
	c, st := t.add(string(a.Owner), a.Verifier, a.Principal, 0, a.From)
	if st != OK {
		return 0, Verifier{}, st
	}
	c.v0.confirm, c.v0.callback = confirm, a.Callback.brief()
	return c.id, confirm, OK
}

// ConfirmClientID is SETCLIENTID_CONFIRM (RFC 7530 section 16.34). What an earlier
// incarnation held is dropped, which can take as long as it held much. When a courteous
// client has to go for it, it writes to the store.
func (t *Table) ConfirmClientID(id ClientID, confirm Verifier, p Principal) Status {
	t.mu.Lock()
	left, st := t.confirmClient(id, confirm, p)
	t.mu.Unlock()
	t.replaced(left, id)
	return st
}

// confirmClient needs t.mu.
func (t *Table) confirmClient(id ClientID, confirm Verifier, p Principal) (left *Client, st Status) {
	c := t.client(id)
	switch {
	case c == nil || c.minor != 0:
		return nil, StaleClientID
	case c.principal != p:
		return nil, ClidInUse
	case c.phase == fresh:
		if c.v0.confirm != confirm {
			return nil, StaleClientID
		}
		if st = t.mayConfirm(c); st != OK {
			return nil, st
		}
		return t.confirm(c)
	case c.phase != confirmed:
		return nil, StaleClientID
	case c.v0.pending != nil && c.v0.pending.confirm == confirm:
		c.v0.confirm, c.v0.callback, c.v0.pending = confirm, c.v0.pending.callback, nil
		c.renew(t.now())
		return nil, OK
	case c.v0.confirm == confirm: // again
		c.renew(t.now())
		return nil, OK
	}
	return nil, StaleClientID
}

// Renew is RENEW (RFC 7530 section 16.31). A client whose state was taken is told EXPIRED for
// another lease, and STALE_CLIENTID after that, so one that slept recovers by either.
func (t *Table) Renew(id ClientID) Status {
	_, st := t.Client0(id)
	return st
}

// Client0 returns a confirmed client of version 4.0 and renews its lease.
func (t *Table) Client0(id ClientID) (*Client, Status) {
	c := t.client(id)
	if c == nil || c.minor != 0 {
		return nil, StaleClientID
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	switch c.phase {
	case confirmed:
		c.renew(t.now())
		return c, OK
	case lapsed:
		return nil, Expired
	case fresh, gone:
	}
	return nil, StaleClientID
}

// Callback0 returns how a client of version 4.0 has asked, and confirmed, to be called back.
func (c *Client) Callback0() Callback0 {
	c.table.mu.Lock()
	defer c.table.mu.Unlock()
	return c.v0.callback
}
