package transport

import (
	"net/netip"
	"sync"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// Ends are the two ends of a connection, or of a datagram.
type Ends struct {
	Peer, Local netip.AddrPort
	// Device is the number of the link that the peer's address belongs to, 0 for
	// addresses that are not a link's own.
	Device   uint32
	Datagram bool
	// FD is the connection's descriptor, -1 for datagrams. It is borrowed.
	FD int
}

// identify finds out who opened cn, which is nobody's yet, so that it counts for who
// that is. What may sleep is left to its lane.
func (s *Server) identify(cn *conn) {
	if ask := s.cfg.Origin; ask != nil {
		cn.origin, cn.later = ask(Ends{Peer: cn.peer, Local: cn.local, Device: cn.device, FD: cn.fd})
	}
	cn.house, cn.guest = cn.origin.House(cn.peer.Addr()), cn.origin.Guest()
}

// ask opens cn. If something is still to be asked of who opened it, a goroutine does that
// first. Nothing is read from the connection before that has ended, and no other lane
// takes it.
func (l *lane) ask(cn *conn) {
	later := cn.later
	if later == nil {
		cn.become(lifeOpen)
		return
	}
	cn.later = nil
	cn.become(lifeAsking)
	go runIdentify(cn, later)
}

// runIdentify asks who opened cn. Its lane may be over when it knows.
func runIdentify(cn *conn, later func() *rpc.Origin) {
	origin := later()
	_ = cn.lane.loop.Post(loop.TaskFunc(func() {
		cn.origin = origin
		if cn.life == lifeAsking {
			cn.become(lifeOpen)
		}
		if cn.life < lifeDead {
			cn.account.house.age.learn(origin)
			cn.touch()
		}
	}))
}

// originOf finds out who sent a datagram. It reports whether that is known: if not, a
// goroutine asks for it, and nobody waits for that.
func (d *datagramSocket) originOf(peer, local netip.AddrPort) (origin *rpc.Origin, known bool) {
	origin, later := d.srv.cfg.Origin(Ends{Peer: peer, Local: local, Datagram: true, FD: -1})
	if later != nil {
		d.srv.lookUps.start(origin.UID, later)
	}
	return origin, later == nil
}

// lookUps are what is being asked of who sent datagrams: one thing for each user.
type lookUps struct {
	mu sync.Mutex
	of map[uint32]struct{} // guarded by mu: users
}

// lookUpsMax is for how many users something is asked at once. Each has a goroutine for
// as long as the answer takes.
const lookUpsMax = 32

// start has a goroutine ask, unless one does that for this user, or for as many as may be.
func (u *lookUps) start(uid uint32, ask func() *rpc.Origin) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if _, asked := u.of[uid]; asked || len(u.of) >= lookUpsMax {
		return
	}
	if u.of == nil {
		u.of = make(map[uint32]struct{})
	}
	u.of[uid] = struct{}{}
	go u.runLookUp(uid, ask)
}

// runLookUp asks. Who is asked keeps the answer.
func (u *lookUps) runLookUp(uid uint32, ask func() *rpc.Origin) {
	ask()
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.of, uid)
}
