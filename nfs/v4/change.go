package v4

import (
	"time"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Linux before 6.13, and some file systems of later ones, stamp a change with the time of the last
// tick of the kernel's clock, and some keep whole seconds. Two changes can have one ctime there, of
// which somebody has seen the first. So a change attribute that is made of a ctime has a further
// bit: whether the ctime was settled when it was looked at, so old that a later change must have
// another. Who has seen the value without the bit finds another one soon, and asks again, once.
const (
	// tickSettled is when a ctime with nanoseconds is settled: after two ticks of the slowest
	// clock that Linux has, 100 Hz.
	tickSettled = 20 * time.Millisecond
	// secondsSettled is when one of whole seconds is: FAT keeps every other second.
	secondsSettled = 2*time.Second + tickSettled
)

// change returns the change attribute (RFC 8881, section 5.8.1.4) of an object with the attributes
// a: the back end's, or one that is made of the ctime. The clock may be behind, but no later than
// when somebody has looked at the object.
func (s *server) change(a *vfs.Attr, clock func() time.Time) uint64 {
	if a.Has(vfs.AttrChange) {
		return a.Change
	}
	return s.ofCtime(a.Ctime, clock)
}

// now is the clock of this place: [Config.Clock], which a lane asks once for all calls that it has
// received together.
func (w *work) now() time.Time {
	if w.askedIn.over(w.thread) {
		w.asked = w.values.s.cfg.Clock()
	}
	return w.asked
}

// ofCtime makes a change attribute of a ctime. One of whole seconds is not doubled, for there are
// file systems in which others are change attributes as they are, and order must be kept.
func (s *server) ofCtime(t vfs.Time, clock func() time.Time) uint64 {
	c := t.Change()
	if t.Nsec != 0 {
		c = 2 * c
	}
	if s.settled(t, grainOf(t), clock) {
		c++
	}
	return c
}

// longSettled is when, in seconds, a ctime is settled by any clock.
const longSettled = 4

// grainOf returns after how long a ctime is settled.
func grainOf(t vfs.Time) time.Duration {
	if t.Nsec != 0 {
		return tickSettled
	}
	return secondsSettled
}

// settled reports whether a ctime is older than grain. Most are much older: for these it does not
// ask the clock, but compares with a time of the last second or two that somebody has asked for.
func (s *server) settled(t vfs.Time, grain time.Duration, clock func() time.Time) bool {
	recent := s.recent.Load()
	if t.Sec < recent-longSettled {
		return true
	}
	now := clock()
	if sec := now.Unix(); sec != recent { // once a second, for the lanes share it
		s.recent.Store(sec)
	}
	switch gone := now.Unix() - t.Sec; {
	case gone > longSettled:
		return true
	case gone < 0: // by less than a second, or in the future
		return false
	default:
		return gone*int64(time.Second)+int64(now.Nanosecond())-int64(t.Nsec) > int64(grain)
	}
}

// wccChange returns a directory's change attribute before and after a change.
func (s *server) wccChange(w *vfs.WCC, clock func() time.Time) (before, after uint64) {
	if w.After.Filled() {
		after = s.change(&w.After, clock)
	}
	switch {
	case !w.HasBefore:
	case w.Before.HasChange:
		before = w.Before.Change
	default:
		before = s.ofCtime(w.Before.Ctime, clock)
	}
	return before, after
}

// atomic reports whether all that has happened between the two values of wccChange is the change
// itself. A local process can come in between, unless the back end says that nobody does. And a
// value from before the change that is made of a ctime must be a settled one: otherwise a client
// may know the same value from before another change of the same tick.
func (s *server) atomic(w *vfs.WCC, clock func() time.Time) bool {
	switch {
	case !w.Atomic || !w.HasBefore || !w.After.Filled():
		return false
	case w.Before.HasChange && w.After.Has(vfs.AttrChange):
		return true
	case w.Before.HasChange || w.After.Has(vfs.AttrChange):
		return false
	}
	return s.settled(w.Before.Ctime, grainOf(w.Before.Ctime), clock)
}
