package transport

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/futex"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// Ends are the two ends of a connection, or of a datagram.
type Ends struct {
	Peer, Local netip.AddrPort
	// Device is the number of the link that the peer's address belongs to; 0 if it belongs to
	// none.
	Device   uint32
	Datagram bool
	// FD is the connection's descriptor, -1 for datagrams. It is borrowed.
	FD int
}

// identify finds out who opened cn, before a lane has it, so that cn counts for that user's
// household. It leaves what may sleep to the lane.
func (s *Server) identify(cn *conn) {
	if ask := s.cfg.Origin; ask != nil {
		cn.origin, cn.later = ask(Ends{Peer: cn.peer, Local: cn.local, Device: cn.device, FD: cn.fd})
	}
	cn.house, cn.guest = cn.origin.House(cn.peer.Addr()), cn.origin.Guest()
}

// ask opens cn. If something is still to be asked about who opened it, a goroutine asks first.
// Until the goroutine has ended, the lane reads nothing from the connection, and no other lane
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

// runIdentify asks who opened cn. The lane may be over when the answer comes.
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

// originOf finds out who sent a datagram. If that is not known yet, it reports false and starts a
// goroutine that asks; nobody waits for that goroutine.
func (d *datagramSocket) originOf(peer, local netip.AddrPort) (origin *rpc.Origin, known bool) {
	origin, later := d.srv.cfg.Origin(Ends{Peer: peer, Local: local, Datagram: true, FD: -1})
	if later != nil {
		d.srv.lookUps.start(origin.UID, later)
	}
	return origin, later == nil
}

// lookUps are the questions under way about senders of datagrams, at most one for each user.
type lookUps struct {
	mu futex.Mutex
	of map[uint32]struct{} // guarded by mu: users
}

// lookUpsMax is for how many users a question is under way at once. Each occupies a goroutine until
// the answer comes.
const lookUpsMax = 32

// start starts a goroutine that asks, unless one is asking for this user already, or lookUpsMax are
// running.
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

// runLookUp asks. The callee keeps the answer.
func (u *lookUps) runLookUp(uid uint32, ask func() *rpc.Origin) {
	ask()
	u.mu.Lock()
	defer u.mu.Unlock()
	delete(u.of, uid)
}
