package transport

import (
	"slices"
	"time"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// A connection may last for months, and its user may leave a group meanwhile. So a goroutine asks
// anew about local users from time to time, once for all connections of a user on a lane. Calls
// that come in later have the new origin. Nobody waits for the answer: until it comes, and when
// there is none, the connections keep the origin they have. If the groups could not be found out at
// first, the lane has them asked for the next time it looks.

const (
	// renewAfter is how old the answer about a user may become. The kernel's own server also
	// keeps a user's groups for ten minutes.
	renewAfter = 10 * time.Minute
	// renewEvery is how often a lane looks for users with an older answer.
	renewEvery = 10 * time.Second
	// renewalsMax is the number of users about whom a lane has questions under way at once.
	renewalsMax = 8
)

// age is how old the answers about a household's connections are.
type age struct {
	since   time.Time // when the oldest answer was asked for; zero without connections
	tried   time.Time // when the question was last asked, answered or not
	unsure  bool      // an answer was incomplete
	running bool      // the question is under way
}

// add counts a connection whose origin was asked for at that time.
func (a *age) add(asked time.Time) {
	if a.since.IsZero() {
		a.tried = asked
	}
	if a.since.IsZero() || asked.Before(a.since) {
		a.since = asked
	}
}

// learn takes the origin of a connection; nil is another machine.
func (a *age) learn(o *rpc.Origin) { a.unsure = a.unsure || o != nil && o.Unsure }

// due reports whether to ask anew, because an answer was incomplete or is older than after.
func (a *age) due(now time.Time, after time.Duration) bool {
	return !a.running && (a.unsure || now.Sub(a.since) >= after)
}

// renewals are the questions of a lane that are under way.
type renewals struct {
	next    time.Time // when the lane looks next
	running int
}

// renew is called by the tick. It asks anew about local users whose answers are old, and first
// about those for whom the question was last tried longest ago. Users for whom there is no answer
// stay due, and would otherwise keep the others from being asked for.
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

// earliest adds cn to next, which holds at most n connections of as many households: those whose
// households were last tried longest ago, in this order.
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

// renewable reports whether the answer about the connection's user may change.
func (cn *conn) renewable() bool {
	return cn.guest && (cn.life > lifeAsking && cn.life < lifeDead) && cn.origin.Trust == rpc.Bound
}

// runRenew asks. The lane may be over when the answer comes.
func (l *lane) runRenew(h *house, old *rpc.Origin, at time.Time) {
	origin := l.srv.cfg.Renew(old)
	_ = l.loop.Post(loop.TaskFunc(func() { l.renewed(h, origin, at) }))
}

// renewed gives the connections of a household the answer that was asked for at that time. Origins
// never change, so calls that are under way go on with the origin that they have.
func (l *lane) renewed(h *house, origin *rpc.Origin, at time.Time) {
	l.renewals.running--
	h.age.running = false
	if origin == nil {
		return // a later look tries again
	}
	h.age.since, h.age.unsure = at, false
	for cn := l.conns; cn != nil; cn = cn.nxt {
		if cn.account.house == h && cn.renewable() {
			cn.origin = origin
		}
	}
}
