package files

import (
	"encoding/binary"
	"io"
	"sync"
)

// Other is what identifies a stateid (stateid4.other): 4 bytes of an index, 4 random ones, 20
// random bits, 12 of the server's epoch. Nothing else protects a stateid of version 4.0.
type Other [12]byte

// Stateid is a stateid4 (RFC 8881 section 3.3.12).
type Stateid struct {
	Seq   uint32
	Other Other
}

// The special stateids (RFC 8881 section 8.2.3; RFC 7530 section 9.1.4.3).
var (
	// Anonymous is the stateid of who has not opened the file.
	Anonymous = Stateid{}
	// Bypass is one whose READ may pass by locks. Here it is worth as much as Anonymous.
	Bypass = Stateid{^uint32(0), ones}
	// Current stands for the one that an earlier operation of the COMPOUND has left. The caller
	// puts that in its place; here it is not valid.
	Current = Stateid{Seq: 1}
	// Invalid is what CLOSE answers in version 4.1, and what is current after it.
	Invalid = Stateid{Seq: ^uint32(0)}
)

var ones = Other{255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255}

const (
	epochBits = 12
	epochMask = 1<<epochBits - 1
)

func (o *Other) index() uint32 { return binary.BigEndian.Uint32(o[:4]) }
func (o *Other) epoch() uint32 { return binary.BigEndian.Uint32(o[8:]) & epochMask }

// reserved reports whether id can only be a special stateid, or is wrong.
func (id *Stateid) reserved() bool { return id.Other == Other{} || id.Other == ones }

// minter makes numbers that nobody guesses.
type minter struct {
	epoch  uint32 // immutable
	source io.Reader

	mu   sync.Mutex
	buf  [256]byte
	left int // unused bytes at the end of buf
}

// other returns a number for the state at an index. It reports false when the source of random
// bits fails.
func (m *minter) other(index uint32) (o Other, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	n := len(o) - 4
	if m.left < n {
		if _, err := io.ReadFull(m.source, m.buf[:]); err != nil {
			return o, false
		}
		m.left = len(m.buf)
	}
	from := m.buf[len(m.buf)-m.left:][:n]
	copy(o[4:], from)
	clear(from) // who reads this memory later does not learn them
	m.left -= n
	binary.BigEndian.PutUint32(o[:], index)
	binary.BigEndian.PutUint32(o[8:], binary.BigEndian.Uint32(o[8:])&^epochMask|m.epoch)
	return o, true
}
