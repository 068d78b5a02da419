package load

import "github.com/ringnfs/ringnfs/nfs/nfs4"

// seriesTask4 is seriesTask by version 4. A file is made by OPEN and CLOSE, which are two calls.
type seriesTask4 struct {
	seriesTask
	o *opener
}

func (t *seriesTask4) next(s *slot) {
	if t.o.there {
		t.o.close(s)
		return
	}
	name, to := t.take()
	switch t.kind {
	case "make":
		t.o.open(s, t.dir, name, nfs4.OPEN4_SHARE_ACCESS_WRITE, true)
	case "rename":
		s.compoundFor(nfs4.OP_RENAME, true)
		s.at(t.dir)
		s.op(nfs4.OP_SAVEFH)
		s.at(t.dir)
		s.op(nfs4.OP_RENAME)
		s.text(name)
		s.text(to)
		s.end(nil)
	case "mkdir":
		makeDirectory(s, t.dir, name)
	default:
		remove(s, t.dir, name)
	}
}

func (t *seriesTask4) done(s *slot, res []byte, _ int) error {
	switch nfs4.NfsOpnum4(s.proc) {
	case nfs4.OP_OPEN:
		return t.o.opened(res)
	case nfs4.OP_CLOSE:
		t.o.closed()
	default:
	}
	return nil
}

// makeDirectory is CREATE of a directory.
func makeDirectory(s *slot, dir []byte, name string) {
	s.compoundFor(nfs4.OP_CREATE, true)
	s.at(dir)
	s.op(nfs4.OP_CREATE)
	s.u32(uint32(nfs4.NF4DIR))
	s.text(name)
	s.mode(0o755)
	s.op(nfs4.OP_GETFH)
	s.getattr(maskFull)
	s.end(nil)
}

// modeTask4 is modeTask by version 4.
type modeTask4 struct{ modeTask }

func (t *modeTask4) next(s *slot) {
	t.at++
	s.compoundFor(nfs4.OP_SETATTR, true)
	s.at(t.g.names[0].fh)
	s.op(nfs4.OP_SETATTR)
	s.stateid(&nfs4.Stateid4{})
	s.mode(0o600 | t.at&1<<2)
	s.getattr(maskAfter)
	s.end(nil)
}
