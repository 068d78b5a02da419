package load

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// compound is what a slot knows of its call of version 4: of the slot of the session that it has,
// and of the compound under way.
type compound struct {
	minor   uint32
	session nfs4.Sessionid4
	slot    uint32
	highest uint32 // slot that the client uses
	seq     uint32

	n   int // operations of the compound under way; 0 for a call of another kind
	ops [operationsMax]nfs4.NfsOpnum4
}

const (
	// operationsMax is the most operations that tasks put into a compound, with SEQUENCE.
	operationsMax = 8
	// atCount is where the number of operations stands in COMPOUND4args, behind an empty tag.
	atCount = 4 + 4
	// sequenceSize is the result of SEQUENCE that went well.
	sequenceSize = 4 + 4 + nfs4.NFS4_SESSIONID_SIZE + 5*4
)

// name is the name of the slot's call, by the operation that the compound is for.
func (s *slot) name() string {
	v := Version{Major: 3}
	if s.compound.n > 0 {
		v.Major = 4
	}
	return v.callName(s.proc)
}

// compoundFor starts a compound, named for the operation that it is for. keep is whether the server
// shall keep the reply, as Linux asks it to for what changes something (sa_cachethis).
func (s *slot) compoundFor(op nfs4.NfsOpnum4, keep bool) {
	s.begin(nfs4.NFSPROC4_COMPOUND)
	s.proc = uint32(op)
	c := &s.compound
	s.u32(0) // tag
	s.u32(c.minor)
	s.u32(0)
	if c.minor == 0 {
		return
	}
	c.seq++
	s.op(nfs4.OP_SEQUENCE)
	s.rec = append(s.rec, c.session[:]...)
	s.u32(c.seq)
	s.u32(c.slot)
	s.u32(c.highest)
	if keep {
		s.u32(1)
	} else {
		s.u32(0)
	}
}

// op starts the next operation.
func (s *slot) op(n nfs4.NfsOpnum4) {
	c := &s.compound
	c.ops[c.n] = n
	c.n++
	s.u32(uint32(n))
}

// at is PUTFH.
func (s *slot) at(fh []byte) {
	s.op(nfs4.OP_PUTFH)
	s.opaque(fh)
}

// The attributes that Linux asks for: of an object that it looks at, and of a file that it has
// written to.
var (
	maskFull  = [2]uint32{0x0010011a, 0x00b0a23a}
	maskAfter = [2]uint32{0x00000018, 0x00300000}
)

// getattr is GETATTR.
func (s *slot) getattr(mask [2]uint32) {
	s.op(nfs4.OP_GETATTR)
	s.u32(uint32(len(mask)))
	s.u32(mask[0])
	s.u32(mask[1])
}

// stateid appends a stateid4.
func (s *slot) stateid(id *nfs4.Stateid4) {
	s.u32(id.Seqid)
	s.rec = append(s.rec, id.Other[:]...)
}

// text appends a string.
func (s *slot) text(t string) {
	s.u32(uint32(len(t)))
	s.rec = append(s.rec, t...)
	for n := -len(t) & 3; n > 0; n-- {
		s.rec = append(s.rec, 0)
	}
}

// results returns the results of a compound behind SEQUENCE's. A status other than NFS4_OK asks for
// the call later; others are errors.
func (s *slot) results(res []byte) (rest []byte, later nfs4.Nfsstat4, err error) {
	c := &s.compound
	r := results{b: res, good: true}
	status := nfs4.Nfsstat4(r.u32())
	r.opaque() // tag
	n := int(r.u32())
	switch {
	case !r.good:
		return nil, 0, fmt.Errorf("%s: %w", s.name(), client.ErrShortReply)
	case n > c.n, status == nfs4.NFS4_OK && n != c.n:
		return nil, 0, fmt.Errorf("%s: %d results of %d operations", s.name(), n, c.n)
	}
	if status != nfs4.NFS4_OK {
		op := c.ops[max(n-1, 0)]
		if !client4.Later(status) {
			return nil, 0, advise(&client4.StatusError{Op: op, Status: status})
		}
		switch {
		case op == nfs4.OP_SEQUENCE:
			c.seq-- // the slot is as it was
		case op == nfs4.OP_GETATTR && s.proc != uint32(op):
			// What the compound is for is done, and must not be done twice.
			status = nfs4.NFS4_OK
		}
		if status != nfs4.NFS4_OK {
			return nil, status, nil
		}
	}
	if c.minor > 0 {
		r.skip(sequenceSize)
	}
	if !r.good {
		return nil, 0, fmt.Errorf("%s: %w", s.name(), client.ErrShortReply)
	}
	return res[r.at:], nfs4.NFS4_OK, nil
}

// results is a walk over results. After the end, or after what was not expected, good is false.
type results struct {
	b    []byte
	at   int
	good bool
}

var errOtherResult = errors.New("the results are not those of the operations, or too short")

func (r *results) err() error {
	if !r.good {
		return errOtherResult
	}
	return nil
}

func (r *results) skip(n int) {
	if r.good = r.good && n >= 0 && n <= len(r.b)-r.at; r.good {
		r.at += n
	}
}

func (r *results) u32() uint32 {
	r.skip(4)
	if !r.good {
		return 0
	}
	return binary.BigEndian.Uint32(r.b[r.at-4:])
}

func (r *results) opaque() []byte {
	n := int(r.u32())
	r.skip((n + 3) &^ 3)
	if !r.good {
		return nil
	}
	return r.b[r.at-(n+3)&^3:][:n]
}

// op goes behind the header of a result, which is that of n.
func (r *results) op(n nfs4.NfsOpnum4) {
	if r.u32() != uint32(n) || r.u32() != uint32(nfs4.NFS4_OK) {
		r.good = false
	}
}

func (r *results) stateid(id *nfs4.Stateid4) {
	id.Seqid = r.u32()
	r.skip(len(id.Other))
	if r.good {
		copy(id.Other[:], r.b[r.at-len(id.Other):])
	}
}
