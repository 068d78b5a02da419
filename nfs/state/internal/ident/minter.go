package ident

import (
	"encoding/binary"
	"io"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// EpochBits is how many bits of a number are the epoch of the server that made it.
const (
	EpochBits = 12
	epochMask = 1<<EpochBits - 1
)

// Place returns the place that the number b holds in its first four bytes.
func Place(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// Epoch returns the epoch that the number b holds in its last bits.
func Epoch(b []byte) uint32 { return binary.BigEndian.Uint32(b[len(b)-4:]) & epochMask }

// Minter makes numbers that nobody guesses.
type Minter struct {
	epoch  uint32 // immutable
	source io.Reader

	mu   futex.Mutex
	buf  [256]byte
	left int // unused bytes at the end of buf
}

// Init sets the epoch, of which the lower EpochBits count, and the source of random bits.
func (m *Minter) Init(epoch uint32, source io.Reader) { m.epoch, m.source = epoch&epochMask, source }

// Epoch returns the epoch that is in all numbers of m.
func (m *Minter) Epoch() uint32 { return m.epoch }

// Draw fills b with random bytes, 256 at the most. It reports false when the source fails.
func (m *Minter) Draw(b []byte) bool {
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

// Mint makes b a number: four bytes of place, random ones, and the epoch in the last bits. b has
// eight bytes or more. It reports false when the source fails.
func (m *Minter) Mint(b []byte, place uint32) bool {
	ok := m.Draw(b[4:])
	binary.BigEndian.PutUint32(b, place)
	last := b[len(b)-4:]
	binary.BigEndian.PutUint32(last, binary.BigEndian.Uint32(last)&^epochMask|m.epoch)
	return ok
}
