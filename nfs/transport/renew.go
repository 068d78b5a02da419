package transport

import (
	"slices"
	"time"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// A connection may last for months, and its user be taken out of a group meanwhile. So
// what is known of a local user is asked anew now and then, by a goroutine and for all
// of the user's connections on a lane at once, and their calls have the new origin from
// then on. Nobody waits for it: until then, and when it fails, they have the old one. What
// could not be found out at first is asked again the next time that is looked for.

const (
	// renewAfter is how old what is known of a user may be. The kernel's own server
	// keeps the groups of a user for ten minutes, too.
	renewAfter = 10 * time.Minute
	// renewEvery is how often a lane looks for users of whom more than that is known.
	renewEvery = 10 * time.Second
	// renewalsMax is for how many users of a lane that is under way at once.
	renewalsMax = 8
)

// age is how old what is known of a household's connections is.
type age struct {
	since   time.Time // when the first of it was asked; zero without connections
	tried   time.Time // when it was last asked, answered or not
	unsure  bool      // some of it could not be found out
	running bool      // it is being asked anew
}

// add says that there is a connection which something was asked of at that time.
func (a *age) add(asked time.Time) {
	if a.since.IsZero() {
		a.tried = asked
	}
	if a.since.IsZero() || asked.Before(a.since) {
		a.since = asked
	}
}

// learn says what a connection has been found to be; nil is another machine.
func (a *age) learn(o *rpc.Origin) { a.unsure = a.unsure || o != nil && o.Unsure }

// due reports whether it is to be asked anew what is older than after.
func (a *age) due(now time.Time, after time.Duration) bool {
	return !a.running && (a.unsure || now.Sub(a.since) >= after)
}

// renewals are a lane's.
type renewals struct {
	next    time.Time // when it is looked next
	running int
}

// renew is called by the tick. It asks anew who local users are of whom that was asked
// long ago. Who was not asked for longest comes first: users of whom there is no answer
// stay due, and would keep it from others.
func (l *lane) renew(now time.Time) {
	s := l.srv
	if s.cfg.Renew == nil || now.Before(l.renewals.next) || l.draining {
		return
	}
	l.renewals.next = now.Add(s.renewEvery)
	var few [renewalsMax]*conn
	next := few[:0]
	for cn := l.conns; cn != nil; cn = cn.nxt {
		if cn.renewable() && cn.account.house.age.due(now, s.renewAfter) {
			next = earliest(next, cn, renewalsMax-l.renewals.running)
		}
	}
	for _, cn := range next {
		h := cn.account.house
		h.age.running, h.age.tried = true, now
		l.renewals.running++
		go l.runRenew(h, cn.origin, now)
	}
}

// earliest adds cn to next, the n connections whose households were not tried for longest,
// one of each, in that order.
func earliest(next []*conn, cn *conn, n int) []*conn {
	h, at := cn.account.house, len(next)
	for i, other := range next {
		switch o := other.account.house; {
		case o == h:
			return next
		case at == len(next) && h.age.tried.Before(o.age.tried):
			at = i
		}
	}
	if at >= n {
		return next
	}
	return slices.Insert(next[:min(len(next), n-1)], at, cn)
}

// renewable reports whether what is known of the connection may change.
func (cn *conn) renewable() bool {
	return cn.guest && (cn.life > lifeAsking && cn.life < lifeDead) && cn.origin.Trust == rpc.Bound
}

// runRenew asks. The lane may be over when it knows.
func (l *lane) runRenew(h *house, old *rpc.Origin, at time.Time) {
	origin := l.srv.cfg.Renew(old)
	_ = l.loop.Post(loop.TaskFunc(func() { l.renewed(h, origin, at) }))
}

// renewed gives the connections of a household what it was found to be at that time.
// Origins never change, so calls that are under way go on with the one that they have.
func (l *lane) renewed(h *house, origin *rpc.Origin, at time.Time) {
	l.renewals.running--
	h.age.running = false
	if origin == nil {
		return // it is tried again
	}
	h.age.since, h.age.unsure = at, false
	for cn := l.conns; cn != nil; cn = cn.nxt {
		if cn.account.house == h && cn.renewable() {
			cn.origin = origin
		}
	}
}
