package state

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
)

// TestStorm lets several threads do everything at once with few names. It fails by the race
// detector, by a deadlock, or by what is left at the end.
func TestStorm(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %#x", seed)
	steps := 40_000
	if testing.Short() || again.Now() {
		steps = 6_000
	}
	r := newRig(t, func(c *Config) {
		c.ClientsMax, c.UnconfirmedMax, c.SessionsMax, c.MemoryMax = 3, 3, 3, 60_000
	})
	var wg sync.WaitGroup
	for thread := range uint64(4) {
		wg.Go(func() {
			rnd := rand.New(rand.NewPCG(seed, thread))
			conn := thread + 1
			var (
				id, id0 ClientID
				confirm Verifier
				session SessionID
				seqids  [16]uint32
				k       Ticket
				seqid   uint32
			)
			for range steps {
				owner := fmt.Sprint("owner", rnd.IntN(4))
				who := []Principal{alice, mario}[rnd.IntN(2)]
				switch rnd.IntN(40) {
				case 0, 1:
					if e, st := r.exchange(owner, byte(rnd.IntN(3)), who, 0); st == OK {
						id, seqid = e.Client, e.Seqid
					}
				case 2, 3, 4:
					a := createArgs(id, seqid, who)
					a.Conn, a.Flags = conn, uint32(rnd.IntN(4))
					s, st := r.CreateSession(a)
					if st == OK {
						session, seqids = s.Session, [16]uint32{}
					}
					if st != Delay {
						seqid++
					}
				case 5:
					id0, confirm, _ = r.SetClientID(setArgs(owner, byte(rnd.IntN(3)), who, 7))
				case 6:
					r.ConfirmClientID(id0, confirm, who)
				case 7:
					r.Renew(id0)
				case 8:
					r.DestroySession(session, conn)
				case 9:
					r.DestroyClient(id)
				case 10:
					r.clock.Add(uint32(rnd.IntN(10)))
					r.Sweep()
				case 11:
					if c := r.byID(id); c != nil {
						c.Hold(1)
						r.Expire(c)
						r.ReclaimComplete(c, false)
					}
				case 12:
					r.Disconnect(conn)
				case 13:
					_, _ = r.BindConn(session, conn, Direction(rnd.IntN(8)))
				case 14:
					r.Counts()
				case 15: // a session of another thread's, as far as it can be found
					r.sessions.All(func(s *Session) {
						if rnd.IntN(4) == 0 {
							session = s.ID()
						}
					})
				default:
					slot := rnd.Uint32N(16)
					a := &Sequence{
						Session: session, Slot: slot, Highest: slot,
						Seqid: seqids[slot] + rnd.Uint32N(2), CacheThis: rnd.IntN(2) == 0, Conn: conn,
					}
					switch v, _ := r.Begin(a, &k); v {
					case First:
						seqids[slot]++
						k.End(make([]byte, rnd.IntN(3248)))
					case Replay:
						k.Replayed()
					case Uncached, Refused:
					}
				}
			}
		})
	}
	wg.Wait()
	r.atRest()
}
