package nfs

import (
	"errors"
	"os/user"
	"strconv"
	"time"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// groupCache remembers the groups of this machine's users, so that a new connection of a known user
// needs no look-up.
type groupCache struct {
	lookup func(uid uint32) ([]uint32, error) // set before the first use; it may block
	now    func() time.Time                   // time.Now when nil

	mu    futex.Mutex
	by    map[uint32]*groupEntry // guarded by mu
	turns chan struct{}          // made by the first look-up; one token for each under way
}

// groupEntry is the answer about one user, valid once done is closed.
type groupEntry struct {
	done chan struct{}
	gids []uint32 // if err is not nil, the groups known before
	err  error
	at   time.Time
}

const (
	// groupsFresh is how long an answer is good for new connections.
	groupsFresh = 30 * time.Second
	// groupsRest is how long to wait before a failed look-up is repeated.
	groupsRest = time.Second
	// groupUsersMax is how many users are remembered.
	groupUsersMax = 1024
	// lookupsMax is how many look-ups are under way at once. Each may occupy a thread for as
	// long as the database hangs.
	lookupsMax = 8
)

// known returns the groups of uid if they have been looked up lately. If that look-up failed, it
// returns those known before. It does not block.
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

// of looks up the groups of uid. Callers that ask for one user at the same time share one look-up,
// and few users are looked up at a time. When the look-up fails, gids is what is still remembered.
// of blocks as long as the system's database of users does.
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

// enter returns the entry of uid. If mine, the caller must fill it.
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

// groupsOf asks the system for all groups of a user. A user whom the system does not know has none,
// not even the group of the same number, which may be another user's. groupsOf blocks if the
// database is on another machine.
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
