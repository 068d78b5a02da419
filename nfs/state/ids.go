package state

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/state/internal/ident"
)

// ClientID is a clientid4: 32 random bits, 12 of the epoch, 20 of the index.
type ClientID uint64

// SessionID is a sessionid4: 4 bytes of index, 8 random ones, 20 random bits, 12 of the epoch.
type SessionID [16]byte

// Verifier is a verifier4: another one means another incarnation of the client.
type Verifier [8]byte

const (
	indexBits = 20 // in a client ID
	indexMask = 1<<indexBits - 1
)

func (id ClientID) index() uint32   { return uint32(id) & indexMask }
func (id *SessionID) index() uint32 { return ident.Place(id[:]) }

// newClientID returns the number of the client at an index. It reports false when the source of
// random bits fails.
func (t *Table) newClientID(index uint32) (ClientID, bool) {
	var b [4]byte
	ok := t.mint.Draw(b[:])
	random := uint64(binary.BigEndian.Uint32(b[:]))
	return ClientID(random<<32 | uint64(t.mint.Epoch())<<indexBits | uint64(index)), ok
}
