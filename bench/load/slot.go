package load

import (
	"encoding/binary"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// task decides which calls one slot makes. Only one thread uses it.
type task interface {
	// next writes the slot's next call with begin, the argument methods and end.
	next(s *slot)
	// done gets the results of that call, which has succeeded: from the status on, or nothing
	// for NULL. res is a view, valid until done returns. It has only the first headMax bytes
	// unless keepsReplies says that all are needed; total is the number of all bytes.
	done(s *slot, res []byte, total int) error
}

// slot is one call that may be under way. Its record up to the credential is built once.
type slot struct {
	task task

	rec     []byte // the call: record mark, header, credential, arguments
	payload []byte // comes behind rec[:cut]; borrowed until the reply arrives
	cut     int
	prefix  int // bytes of rec that do not change

	xid   uint32 // its low half is the slot's index
	proc  uint32
	busy  bool
	start int64 // when the call was sent or was due, in nanoseconds of the run's clock
	bytes int   // data that the call moves, counted when it is done

	compound compound // of version 4
}

// Offsets of a call's fields in a record (RFC 5531, section 9).
const (
	atXID  = 4
	atProc = 24
)

func newSlot(index int, v Version, cred client.OpaqueAuth) slot {
	version := uint32(nfs3.NFS_V3)
	if v.Major == 4 {
		version = nfs4.NFS_V4
	}
	prefix := callPrefix(uint32(index), version, nfs3.NFSPROC3_NULL, cred)
	return slot{
		xid:    uint32(index),
		prefix: len(prefix),
		rec:    append(make([]byte, 0, len(prefix)+512), prefix...),
	}
}

// begin starts a call: a new transaction id, and no arguments.
func (s *slot) begin(proc uint32) {
	s.xid += 1 << 16
	s.proc, s.bytes, s.payload, s.cut = proc, 0, nil, 0
	s.compound.n = 0
	s.rec = s.rec[:s.prefix]
	binary.BigEndian.PutUint32(s.rec[atXID:], s.xid)
	binary.BigEndian.PutUint32(s.rec[atProc:], proc)
}

func (s *slot) u32(v uint32) { s.rec = binary.BigEndian.AppendUint32(s.rec, v) }
func (s *slot) u64(v uint64) { s.rec = binary.BigEndian.AppendUint64(s.rec, v) }

func (s *slot) opaque(b []byte) {
	s.u32(uint32(len(b)))
	s.rec = append(s.rec, b...)
	for n := -len(b) & 3; n > 0; n-- {
		s.rec = append(s.rec, 0)
	}
}

// split says that the payload comes here, and not at the end.
func (s *slot) split() { s.cut = len(s.rec) }

// end closes the record. payload, a multiple of four bytes, is sent behind it, or where split was
// called, and must not change until the reply arrives.
func (s *slot) end(payload []byte) {
	s.payload = payload
	if s.cut == 0 {
		s.cut = len(s.rec)
	}
	if n := s.compound.n; n > 0 {
		binary.BigEndian.PutUint32(s.rec[s.prefix+atCount:], uint32(n))
	}
	binary.BigEndian.PutUint32(s.rec, 1<<31|uint32(len(s.rec)-4+len(payload)))
}
