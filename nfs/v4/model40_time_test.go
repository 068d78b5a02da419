package v4

import (
	"slices"

	"github.com/ringnfs/ringnfs/nfs/state"
)

// This file is what time and restarts do to model40, and how it is compared with the server.

// restart ends the server and starts another one.
func (m *model40) restart() {
	m.say("the server starts anew")
	for _, a := range m.actors {
		if c := m.confirmed[a.name]; c != nil && c == a.c {
			for _, o := range c.opening {
				for _, s := range o.states {
					if !s.expired && !s.unconfirmed {
						a.before = append(a.before, s)
					}
				}
			}
			// Maps have no order, and a run must be the same for a seed.
			slices.SortFunc(a.before, func(x, y *state40) int { return x.n - y.n })
		}
	}
	m.r.serve(m.start(courtesyOfModel))
	if err := m.r.cfg.State.Recover(); err != nil {
		m.r.t.Fatal(err)
	}
	for name, r := range m.current {
		m.old[name] = r
	}
	m.reclaimer = nil
	if len(m.old) > 0 {
		m.reclaimer = make(map[string]record40)
		for name, r := range m.old {
			m.reclaimer[name] = r
		}
		m.until = m.now + leaseOfModel
		m.latest = m.until + leaseOfModel
	}
	m.current = make(map[string]record40)
	for _, all := range []map[string]*client40{m.confirmed, m.fresh} {
		for _, c := range all {
			c.phase = gone40
		}
		clear(all)
	}
	clear(m.states)
	m.kept = nil
}

// pass lets time pass.
func (m *model40) pass(n uint32) {
	m.now += n
	m.say("it is %d", m.now)
	m.r.cfg.State.Sweep()
	m.r.cfg.Files.Sweep()
	if m.reclaimer != nil && m.now >= m.until {
		m.reclaimer, m.old = nil, make(map[string]record40)
	}
	for name, c := range m.fresh {
		if m.courteous(c) {
			c.phase = gone40
			delete(m.fresh, name)
		}
	}
	for _, c := range m.confirmed {
		switch {
		case !m.courteous(c):
		case c.phase == lapsed40:
			m.leave(c)
		case len(c.live()) > 0 && m.now-c.renewed-leaseOfModel <= courtesyOfModel:
		default:
			m.leave(c)
			m.unrecord(c)
		}
	}
	for _, c := range slices.Clone(m.kept) {
		if c.revoked && m.now-c.since > leaseOfModel {
			m.forget(c)
			continue
		}
		for _, o := range c.opening {
			if o.idle && m.now-o.since > leaseOfModel {
				for len(o.states) > 0 {
					m.end(o.states[0])
				}
				m.dropOwner(o)
			}
		}
	}
}

// compare compares what there is in all.
func (m *model40) compare() {
	var opens, locks, ranges, dead, owners int
	for _, c := range m.kept {
		for _, all := range []map[string]*owner40{c.opening, c.locking} {
			owners += len(all)
			for _, o := range all {
				for _, s := range o.states {
					switch {
					case s.expired:
						dead++
					case s.isLock():
						locks++
						ranges += s.ranges()
					default:
						opens++
					}
				}
			}
		}
	}
	n, held := m.r.cfg.State.Counts(), m.r.cfg.Files.Counts()
	if n.Clients != len(m.confirmed) || n.Unconfirmed != len(m.fresh) || held.Opens != opens || held.Locks != locks ||
		held.Ranges != ranges || held.Dead != dead || held.Owners != owners ||
		m.r.cfg.State.InGrace() != (m.reclaimer != nil) {
		m.r.t.Fatalf("%+v %+v grace %v; want %d clients, %d fresh, %d opens, %d lock stateids, %d ranges, %d dead, "+
			"%d owners, grace %v", n, held, m.r.cfg.State.InGrace(), len(m.confirmed), len(m.fresh), opens, locks,
			ranges, dead, owners, m.reclaimer != nil)
	}
	m.sameRecords(m.current, m.store.current)
	m.sameRecords(m.old, m.store.old)
}

func (m *model40) sameRecords(want map[string]record40, got map[string]state.Record) {
	if len(want) != len(got) {
		m.r.t.Fatalf("records %v, want %v", got, want)
	}
	for name, w := range want {
		if g, ok := got[name]; !ok || g.Verifier[0] != w.verifier || g.Principal.UID != w.uid || g.Minor != 0 {
			m.r.t.Fatalf("records %v, want %v", got, want)
		}
	}
}
