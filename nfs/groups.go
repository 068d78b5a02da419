package nfs

import (
	"errors"
	"os/user"
	"strconv"
	"sync"
	"time"
)

// groupCache remembers the groups of users of this machine, so that not each of their
// connections looks them up.
type groupCache struct {
	lookup func(uid uint32) ([]uint32, error) // set before the first use; it may block
	now    func() time.Time                   // time.Now when nil

	mu    sync.Mutex
	by    map[uint32]*groupEntry // guarded by mu
	turns chan struct{}          // made by the first look-up; those under way are in it
}

// groupEntry is what is known of one user, valid once done is closed.
type groupEntry struct {
	done chan struct{}
	gids []uint32 // what was known before, if err is not nil
	err  error
	at   time.Time
}

const (
	// groupsFresh is how long an answer is used for new connections.
	groupsFresh = 30 * time.Second
	// groupsRest is how long a look-up that failed is not repeated.
	groupsRest = time.Second
	// groupUsersMax is how many users are remembered.
	groupUsersMax = 1024
	// lookupsMax is how many look-ups are under way at once: each may have a thread of its
	// own for as long as the database hangs.
	lookupsMax = 8
)

// known returns the groups of uid if they have been looked up lately, or those of before
// where that failed. It does not block.
func (g *groupCache) known(uid uint32) ([]uint32, bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	e := g.by[uid]
	if e == nil {
		return nil, false
	}
	select {
	case <-e.done:
		return e.gids, (e.err == nil || e.gids != nil) && g.clock().Sub(e.at) < groupsFresh
	default:
		return nil, false
	}
}

// of looks the groups of uid up, once for all who ask meanwhile, and few users at a time.
// When that fails gids is what is still remembered. It blocks as long as the system's
// database of users does.
func (g *groupCache) of(uid uint32) (gids []uint32, err error) {
	e, mine := g.enter(uid)
	if mine {
		g.turns <- struct{}{}
		var now []uint32
		if now, e.err = g.lookup(uid); e.err == nil {
			e.gids = now
		}
		<-g.turns
		e.at = g.clock()
		close(e.done)
	}
	<-e.done
	return e.gids, e.err
}

// enter returns the entry of uid, which is the caller's to fill if mine.
func (g *groupCache) enter(uid uint32) (e *groupEntry, mine bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	next := &groupEntry{done: make(chan struct{})}
	if e = g.by[uid]; e != nil {
		select {
		case <-e.done:
			lasts := groupsFresh
			if e.err != nil {
				lasts = groupsRest
			}
			if g.clock().Sub(e.at) < lasts {
				return e, false
			}
			next.gids = e.gids
		default:
			return e, false
		}
	}
	if g.turns == nil {
		g.turns = make(chan struct{}, lookupsMax)
	}
	if g.by == nil || len(g.by) >= groupUsersMax {
		g.by = make(map[uint32]*groupEntry)
	}
	g.by[uid] = next
	return next, true
}

func (g *groupCache) clock() time.Time {
	if g.now != nil {
		return g.now()
	}
	return time.Now()
}

// groupsOf asks the system for all groups of a user. Whoever it does not know has none,
// also not the one of the same number: that may be somebody's. It may block, where the
// database is another machine's.
func groupsOf(uid uint32) ([]uint32, error) {
	u, err := user.LookupId(strconv.FormatUint(uint64(uid), 10))
	var unknown user.UnknownUserIdError
	switch {
	case errors.As(err, &unknown):
		return nil, nil
	case err != nil:
		return nil, err
	}
	texts, err := u.GroupIds()
	if err != nil {
		return nil, err
	}
	gids := make([]uint32, 0, len(texts))
	for _, t := range texts {
		if gid, err := strconv.ParseUint(t, 10, 32); err == nil {
			gids = append(gids, uint32(gid))
		}
	}
	return gids, nil
}
