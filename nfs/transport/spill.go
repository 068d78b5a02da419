package transport

import (
	"github.com/ringnfs/ringnfs/bufring"
)

// spillHeld copies the incomplete record together into a send slab and gives its receive buffers
// back, so that a peer that is slow in the middle of a record does not keep the lane from reading
// from others. If there is no slab, spillHeld ends the connection; its client connects again and
// sends the call anew.
func (cn *conn) spillHeld() {
	if len(cn.held) == 0 || cn.spill != nil {
		return
	}
	l := cn.lane
	if class, ok := cn.spillClass(); ok {
		// A spilled record waits for its peer, and for receive buffers. Calls that wait for
		// slabs may keep these, so the last slabs are not for records.
		cn.spill = l.slabs.TakeSpare(class)
	}
	if cn.spill == nil {
		cn.kill("no memory for a record that arrives slowly")
		return
	}
	n := 0
	for i := range cn.held {
		s := &cn.held[i]
		n += copy(cn.spill.Bytes()[n:], s.Data)
		cn.unkeep(s.Owner)
		s.Release()
	}
	clear(cn.held)
	cn.held = append(cn.held[:0], bufring.Segment{Data: cn.spill.Bytes()[:n], Owner: cn.spill.Clone()})
	cn.dropReading()
	cn.list(&l.spilled)
}

// spillClass returns the class of slab that the incomplete record needs.
func (cn *conn) spillClass() (bufring.Class, bool) {
	return cn.lane.slabs.ClassFor(cn.records.Size() + cn.records.Pending())
}

// canSpill reports whether spillHeld would find a slab now.
func (cn *conn) canSpill() bool {
	class, ok := cn.spillClass()
	return ok && cn.lane.slabs.HasSpare(class)
}

// spillMore copies a further piece of the record behind the others.
func (cn *conn) spillMore(seg []byte) {
	s := &cn.held[0]
	n := len(s.Data)
	if n+len(seg) > len(cn.spill.Bytes()) && !cn.respill() {
		cn.kill("no memory for a record in many fragments")
		return
	}
	b := cn.spill.Bytes()
	s.Data = b[:n+copy(b[n:], seg)]
}

// respill moves the record to a slab that holds the largest record: a further fragment has made the
// record longer than its first fragments said.
func (cn *conn) respill() bool {
	l := cn.lane
	class, ok := l.slabs.ClassFor(l.srv.cfg.RecordMax)
	if !ok {
		return false
	}
	b := l.slabs.TakeSpare(class)
	if b == nil {
		return false
	}
	n := copy(b.Bytes(), cn.held[0].Data)
	cn.held[0].Release()
	cn.spill.Release()
	cn.held[0] = bufring.Segment{Data: b.Bytes()[:n], Owner: b.Clone()}
	cn.spill = b
	return true
}

func (cn *conn) dropSpill() {
	if cn.spill != nil {
		cn.spill.Release()
		cn.spill = nil
	}
}
