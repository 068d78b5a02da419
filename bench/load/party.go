package load

import (
	"context"
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// party is a client of version 4 that a run's connections belong to: a session, and what is open in
// it. It is made and ended by the control connection, and between that the run's threads only read
// it.
type party struct {
	*client4.Client
	data []nfs4.Stateid4 // of the data files, as far as they are open

	opens []*opener
	locks []*held   // one for each slot that locks
	conns int       // that belong to it so far
	first *compound // the slot 0 of the session as the run uses it
}

// room for what stands around the data of a READ or WRITE
const slack = 8 << 10

// gather makes the clients of a run and opens what the run works on.
func (s *Session) gather(ctx context.Context, j *Job, g *stage) error {
	defer s.c.until(ctx)()
	share := (j.Conns + j.Sessions - 1) / j.Sessions
	slots := uint32(share * j.Depth)
	for i := range j.Sessions {
		p := &party{
			Client: newClient4(s.c.conn, s.opts.Version.Minor, s.name),
			data:   make([]nfs4.Stateid4, len(g.data)),
		}
		release := p.Until(ctx)
		defer release()
		s.parties = append(s.parties, p)
		err := p.Establish(client4.Limits{
			Slots: slots, Request: uint32(s.WriteMax) + slack, Response: uint32(s.ReadMax) + slack,
		})
		if err != nil {
			return fmt.Errorf("session %d of %d: %w", i+1, j.Sessions, advise(err))
		}
		if err := p.suits(j, slots, share); err != nil {
			return err
		}
		if err := p.openAll(s, j, g, i); err != nil {
			return err
		}
	}
	return nil
}

// suits says why the session that the server gives is not enough.
func (p *party) suits(j *Job, slots uint32, share int) error {
	got := &p.Granted
	w := j.Workload
	switch {
	case got.Slots < slots && share == 1:
		return fmt.Errorf("the server takes %d calls at once in a session: say --depth %d or less", got.Slots, got.Slots)
	case got.Slots < slots:
		return fmt.Errorf("the server takes %d calls at once in a session, and %d connections share one: "+
			"say --depth %d or less, or more --sessions", got.Slots, share, int(got.Slots)/share)
	case w.Size > 0 && int(min(got.Request, got.Response)) < w.Size+512:
		return fmt.Errorf("the server takes calls of %d bytes and replies of %d bytes in a session: say a smaller --size",
			got.Request, got.Response)
	}
	return nil
}

// openAll opens the files that the connections of session number i work on.
func (p *party) openAll(s *Session, j *Job, g *stage, i int) error {
	const both = nfs4.OPEN4_SHARE_ACCESS_BOTH
	kind := j.Workload.Kind
	if kind == "read" || kind == "write" || kind == "mixed" {
		for c := i; c < j.Conns; c += j.Sessions {
			f := c % len(g.data)
			if p.data[f] == (nfs4.Stateid4{}) {
				o, err := p.open(s, g.data[f].name, both)
				if err != nil {
					return err
				}
				p.data[f] = o.id
			}
		}
	}
	if kind != "lock" {
		return nil
	}
	for n := range (j.Conns + j.Sessions - 1) / j.Sessions * j.Depth {
		f := n % len(g.names)
		if n == f { // the first one there
			if _, err := p.open(s, g.names[f].name, both); err != nil {
				return err
			}
		}
		if err := p.lock(p.opens[f], i); err != nil {
			return err
		}
	}
	return nil
}

// open opens a file in the session's directory.
func (p *party) open(s *Session, name string, access uint32) (*opener, error) {
	v := verbs4{Client: p.Client, conn: s.c.conn, opened: uint32(len(p.opens))}
	fh, id, seqid, err := v.open(s.dir, name, access, false)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", name, err)
	}
	o := &opener{party: p, fh: fh, id: id, seq: seqid, there: true}
	p.opens = append(p.opens, o)
	return o, nil
}

// held is a lock that a slot takes and gives back.
type held struct {
	fh    []byte
	id    nfs4.Stateid4
	seq   uint32 // of the owner, the last one used
	off   uint64
	taken bool
}

// lockLength is the length of the range that is locked. Ranges of different slots lie apart.
const lockLength = 4 << 10

// lock makes the owner of a lock on an open file known, by taking the lock and giving it back. The
// locks of each session have a part of the file to themselves.
func (p *party) lock(o *opener, session int) error {
	h := &held{fh: o.fh, off: uint64(session)<<32 + uint64(len(p.locks))*2*lockLength}
	o.seq++
	first := client4.FirstLock{
		Client: p.ID, Open: o.id, OpenSeq: o.seq, Owner: fmt.Appendf(nil, "lock-%d", len(p.locks)),
		Offset: h.off, Length: lockLength,
	}
	ops := []nfs4.NfsArgop4{client4.PutFH(h.fh), first.Op()}
	res, err := p.Do(ops...)
	if err != nil {
		return fmt.Errorf("lock a file: %w", advise(err))
	}
	o.seq = uint32(ops[1].Oplock.Locker.OpenOwner.OpenSeqid)
	h.seq = uint32(ops[1].Oplock.Locker.OpenOwner.LockSeqid)
	h.id = res[1].Oplock.Resok4.LockStateid
	p.locks = append(p.locks, h)
	h.taken = true
	return p.unlock(h)
}

// unlock gives a lock back.
func (p *party) unlock(h *held) error {
	h.seq++
	res, err := p.Do(client4.PutFH(h.fh), client4.Unlock(h.id, h.seq, h.off, lockLength))
	if err != nil {
		return fmt.Errorf("unlock a file: %w", advise(err))
	}
	h.id, h.taken = res[1].Oplocku.LockStateid, false
	return nil
}

// admit gives a connection its client, and its slots those of the session.
func (s *Session) admit(c *conn, j *Job) {
	if len(s.parties) == 0 {
		return
	}
	p := s.parties[c.index%len(s.parties)]
	c.party = p
	share := (j.Conns + j.Sessions - 1) / j.Sessions
	for k := range c.slots {
		x := &c.slots[k].compound
		x.minor, x.session = p.Minor, p.Session
		x.slot = uint32(p.conns*j.Depth + k)
		x.highest = uint32(share*j.Depth - 1)
		if x.slot == 0 {
			x.seq, p.first = p.Sequence(), x
		}
	}
	p.conns++
}

// part ends the clients of a run: it gives back what they hold, as far as the server answers.
func (s *Session) part(ctx context.Context) {
	if len(s.parties) == 0 {
		return
	}
	defer s.c.until(ctx)()
	left := s.parties[:0]
	for _, p := range s.parties {
		p.Caller = s.c.conn
		release := p.Until(ctx)
		err := p.leave()
		release()
		var failed *client4.StatusError
		if err != nil && !errors.As(err, &failed) {
			left = append(left, p) // Close tries again, on another connection
		}
	}
	s.parties = left
}

func (p *party) leave() error {
	var err error
	if p.first != nil {
		p.GoOn(p.first.seq)
		p.first = nil
	}
	for _, h := range p.locks {
		if h.taken && err == nil {
			err = p.unlock(h)
		}
	}
	for _, o := range p.opens {
		if o.there && err == nil {
			o.seq++
			if _, err = p.Do(client4.PutFH(o.fh), client4.Close(o.id, o.seq)); err == nil {
				o.there = false
			}
		}
	}
	if err != nil {
		return err
	}
	return p.End()
}
