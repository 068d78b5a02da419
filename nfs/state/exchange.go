package state

import "net/netip"

// Flags of EXCHANGE_ID (RFC 8881 section 18.35.3).
const (
	ExchangeMovedRefer    uint32 = 0x00000001 // SUPP_MOVED_REFER
	ExchangeMovedMigr     uint32 = 0x00000002 // SUPP_MOVED_MIGR
	ExchangeBindPrincipal uint32 = 0x00000100 // BIND_PRINC_STATEID
	ExchangeNonPNFS       uint32 = 0x00010000 // USE_NON_PNFS
	ExchangePNFSMDS       uint32 = 0x00020000 // USE_PNFS_MDS
	ExchangePNFSDS        uint32 = 0x00040000 // USE_PNFS_DS
	ExchangeUpdate        uint32 = 0x40000000 // UPD_CONFIRMED_REC_A
	ExchangeConfirmed     uint32 = 0x80000000 // CONFIRMED_R
)

// exchangeAsked is what a client may set. SUPP_FENCE_OPS (RFC 7862) is not among them: the
// server fences nothing.
const exchangeAsked = ExchangeMovedRefer | ExchangeMovedMigr | ExchangeBindPrincipal |
	ExchangeNonPNFS | ExchangePNFSMDS | ExchangePNFSDS | ExchangeUpdate

// Protection is how a client ID is to be protected (state_protect_how4).
type Protection uint32

// The protections.
const (
	ProtectNone     Protection = 0 // SP4_NONE
	ProtectMachCred Protection = 1 // SP4_MACH_CRED, refused
	ProtectSSV      Protection = 2 // SP4_SSV, refused
)

// ownerMax bounds an owner (NFS4_OPAQUE_LIMIT).
const ownerMax = 1024

// Exchange is what EXCHANGE_ID asks. Owner is borrowed.
type Exchange struct {
	Owner     []byte
	Verifier  Verifier
	Flags     uint32
	Protect   Protection
	Principal Principal
	From      netip.AddrPort // where it comes from: only for Info
}

// Exchanged is what EXCHANGE_ID answers, beside Table.Server. The protection is ProtectNone.
type Exchanged struct {
	Client ClientID
	Seqid  uint32 // for the next CREATE_SESSION
	Flags  uint32
}

// ExchangeID is EXCHANGE_ID (RFC 8881 section 18.35). It does not renew the lease.
func (t *Table) ExchangeID(a *Exchange) (Exchanged, Status) {
	switch {
	case a.Flags&^exchangeAsked != 0 || len(a.Owner) > ownerMax:
		return Exchanged{}, Inval
	case a.Protect == ProtectSSV:
		return Exchanged{}, EncrAlgUnsupp
	case a.Protect != ProtectNone:
		return Exchanged{}, Inval
	}
	t.mu.Lock()
	c, left, st := t.exchange(a)
	t.mu.Unlock()
	t.release(left)
	if st != OK {
		return Exchanged{}, st
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	r := Exchanged{Client: c.id, Seqid: c.created.seqid + 1, Flags: ExchangeNonPNFS}
	if c.phase == confirmed {
		r.Flags |= ExchangeConfirmed
	}
	return r, OK
}

// exchange finds or makes the record that is meant. The cases are those of RFC 8881 section
// 18.35.5. Needs t.mu.
func (t *Table) exchange(a *Exchange) (c, left *Client, st Status) {
	old := t.confirmed[string(a.Owner)]
	if a.Flags&ExchangeUpdate != 0 {
		switch {
		case old == nil || old.minor == 0 || old.phase != confirmed:
			return nil, nil, NoEnt // case 7
		case old.verifier != a.Verifier:
			return nil, nil, NotSame // case 8
		case old.principal != a.Principal:
			return nil, nil, Perm // case 9
		}
		return old, nil, OK // case 6: nothing of what may change is kept
	}
	if old != nil {
		switch {
		case old.principal != a.Principal:
			if old.inUse() {
				return nil, nil, ClidInUse // case 3
			}
			t.remove(old)
			left = old
		case old.minor != 0 && old.verifier == a.Verifier:
			t.dropFresh(t.fresh.byOwner[old.owner])
			old.from = a.From
			return old, nil, OK // case 2
		}
		// Else case 5: what the earlier incarnation holds goes when this one has a session.
		// A client of 4.0 that has come to speak 4.1 is another incarnation as well.
	}
	t.dropFresh(t.fresh.byOwner[string(a.Owner)]) // case 4
	c, st = t.add(string(a.Owner), a.Verifier, a.Principal, 1, a.From)
	return c, left, st
}

// DestroyClient is DESTROY_CLIENTID (RFC 8881 section 18.50). It writes to the store.
func (t *Table) DestroyClient(id ClientID) Status {
	t.mu.Lock()
	c := t.client(id)
	if c == nil || c.minor == 0 {
		t.mu.Unlock()
		return StaleClientID
	}
	c.mu.Lock()
	isBusy, isFresh := len(c.sessions) > 0 || c.held.Load() > 0, c.phase == fresh
	c.mu.Unlock()
	switch {
	case isBusy:
		t.mu.Unlock()
		return ClientIDBusy
	case isFresh:
		t.dropFresh(c)
		t.mu.Unlock()
		return OK
	}
	t.remove(c)
	t.mu.Unlock()
	t.release(c)
	t.forget(c)
	return OK
}
