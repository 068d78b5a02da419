package state

import (
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
)

// rig is a table with a clock and a store that the test moves.
type rig struct {
	*Table
	t     testing.TB
	clock atomic.Uint32
	store memStore
}

func newRig(t testing.TB, change ...func(*Config)) *rig {
	r := &rig{t: t}
	r.clock.Store(1000)
	r.store.records = make(map[string]Record)
	cfg := Config{
		Now:    r.clock.Load,
		Random: rand.NewChaCha8([32]byte{1}),
		Epoch:  0x7abc,
		Store:  &r.store,
	}
	for _, f := range change {
		f(&cfg)
	}
	r.Table = New(cfg)
	return r
}

// pass lets n seconds pass.
func (r *rig) pass(n uint32) { r.clock.Add(n) }

// atRest fails the test unless nothing is left: no slot is taken, and, when all clients have
// been removed, no byte counted.
func (r *rig) atRest() {
	r.t.Helper()
	n := r.Counts()
	require.Zero(r.t, n.SlotsBusy, "slots that are still taken")
	r.clients.All(func(c *Client) {
		r.mu.Lock()
		if c.phase == fresh {
			r.dropFresh(c)
		} else {
			r.remove(c)
		}
		r.mu.Unlock()
		r.release(c)
		require.Zero(r.t, c.memory.Load(), "bytes that a client has left counted")
	})
	require.Equal(r.t, Counts{}, r.Counts())
	require.Zero(r.t, r.clients.Used())
	require.Zero(r.t, r.sessions.Used())
}

var (
	alice = Principal{Flavor: 1, UID: 1000, Name: "box"}
	mario = Principal{Flavor: 1, UID: 2000, Name: "box"}
)

func verifier(n byte) Verifier { return Verifier{n} }

func (r *rig) exchange(owner string, v byte, p Principal, flags uint32) (Exchanged, Status) {
	return r.ExchangeID(&Exchange{Owner: []byte(owner), Verifier: verifier(v), Flags: flags, Principal: p})
}

var linuxFore = Channel{RequestMax: 1049620, ReplyMax: 1049480, KeptMax: 7584, Ops: 8, Slots: 64}
var linuxBack = Channel{RequestMax: 4096, ReplyMax: 4096, Ops: 2, Slots: 16}

func createArgs(id ClientID, seqid uint32, p Principal) *Create {
	return &Create{
		Client: id, Seqid: seqid, Fore: linuxFore, Back: linuxBack, Principal: p, Minor: 1,
		Callback: Callback{Program: 0x40000000, Security: []Security{{Flavor: 1, Machine: "box"}}},
	}
}

// client makes a confirmed client with a session.
func (r *rig) client(owner string, v byte, p Principal) (ClientID, SessionID) {
	r.t.Helper()
	e, st := r.exchange(owner, v, p, 0)
	require.Equal(r.t, OK, st)
	s, st := r.CreateSession(createArgs(e.Client, e.Seqid, p))
	require.Equal(r.t, OK, st)
	return e.Client, s.Session
}

// session makes a client of alice's with a session of these limits.
func (r *rig) session(fore Channel) *Session {
	r.t.Helper()
	e, st := r.exchange("client", 1, alice, 0)
	require.Equal(r.t, OK, st)
	a := createArgs(e.Client, e.Seqid, alice)
	a.Fore = fore
	s, st := r.CreateSession(a)
	require.Equal(r.t, OK, st)
	return r.sessions.At(s.Session.index())
}

func (r *rig) byID(id ClientID) *Client { return r.Table.client(id) }

// request is a request on slot 0 with sequence ID seqid.
func request(s *Session, seqid uint32) *Sequence {
	return &Sequence{Session: s.id, Seqid: seqid, Digest: uint64(seqid), Size: 200, Ops: 3}
}

// memStore is a Store in memory.
type memStore struct {
	mu      sync.Mutex
	records map[string]Record
	fail    bool
	during  func() // is called by the next Record
}

var errStore = errors.New("no space left")

func (m *memStore) Load() ([]Record, error) { return nil, nil }
func (m *memStore) EndGrace() error         { return nil }

func (m *memStore) Record(rs []Record) error {
	if f := m.during; f != nil {
		m.during = nil
		f()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail {
		return errStore
	}
	for _, r := range rs {
		m.records[r.Owner] = r
	}
	return nil
}

func (m *memStore) Forget(rs []Record) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, r := range rs {
		if m.records[r.Owner].Verifier == r.Verifier {
			delete(m.records, r.Owner)
		}
	}
	return nil
}
