package state

import (
	"encoding/binary"
	"io"
	"sync"
)

// ClientID is a clientid4: 32 random bits, 12 of the epoch, 20 of the index.
type ClientID uint64

// SessionID is a sessionid4: 4 bytes of index, 8 random ones, 20 random bits, 12 of the epoch.
type SessionID [16]byte

// Other is what identifies a stateid (stateid4.other): 4 bytes of index, 4 random ones, 20
// random bits, 12 of the epoch. Nothing else protects a stateid of version 4.0.
type Other [12]byte

// Verifier is a verifier4: another one means another incarnation of the client.
type Verifier [8]byte

const (
	epochBits = 12
	epochMask = 1<<epochBits - 1
	indexBits = 20 // in a client ID
	indexMask = 1<<indexBits - 1
)

func (id ClientID) index() uint32   { return uint32(id) & indexMask }
func (id *SessionID) index() uint32 { return binary.BigEndian.Uint32(id[:4]) }
func (o *Other) index() uint32      { return binary.BigEndian.Uint32(o[:4]) }

// epoch returns the epoch of the server that made o: a stateid of another one is
// STALE_STATEID in version 4.0 and BAD_STATEID in later ones.
func (o *Other) epoch() uint32 { return binary.BigEndian.Uint32(o[8:]) & epochMask }

// minter makes numbers that nobody guesses. It may be used by several goroutines.
type minter struct {
	epoch  uint32 // immutable
	source io.Reader

	mu   sync.Mutex
	buf  [256]byte
	left int // unused bytes at the end of buf
}

// draw fills b with random bytes. It reports whether the source had any.
func (m *minter) draw(b []byte) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.left < len(b) {
		if _, err := io.ReadFull(m.source, m.buf[:]); err != nil {
			return false
		}
		m.left = len(m.buf)
	}
	from := m.buf[len(m.buf)-m.left:]
	copy(b, from)
	clear(from[:len(b)]) // who reads this memory later does not learn them
	m.left -= len(b)
	return true
}

func (m *minter) client(index uint32) (ClientID, bool) {
	var b [4]byte
	ok := m.draw(b[:])
	random := uint64(binary.BigEndian.Uint32(b[:]))
	return ClientID(random<<32 | uint64(m.epoch)<<indexBits | uint64(index)), ok
}

func (m *minter) session(index uint32) (id SessionID, ok bool) {
	ok = m.draw(id[4:])
	m.sign(id[:], index)
	return id, ok
}

func (m *minter) other(index uint32) (o Other, ok bool) {
	ok = m.draw(o[4:])
	m.sign(o[:], index)
	return o, ok
}

// sign puts the index and the epoch into the random bytes b.
func (m *minter) sign(b []byte, index uint32) {
	binary.BigEndian.PutUint32(b, index)
	last := b[len(b)-4:]
	binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)&^epochMask|m.epoch)
}
