package files

import "github.com/ringnfs/ringnfs/nfs/state/internal/ident"

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

func (o *Other) index() uint32 { return ident.Place(o[:]) }
func (o *Other) epoch() uint32 { return ident.Epoch(o[:]) }

// reserved reports whether id can only be a special stateid, or is wrong.
func (id *Stateid) reserved() bool { return id.Other == Other{} || id.Other == ones }
