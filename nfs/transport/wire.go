package transport

import (
	"math"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/uring/futex"
)

// wire is a connection as the duplicate request cache knows it. It outlives the connection, and any
// lane may ask it what the peer has heard. A connection gets one with its first call that must not
// run twice.
type wire struct {
	// Immutable.
	born time.Time // when the connection was adopted
	look func(fd int) (tcpFacts, bool)

	mu    futex.Mutex
	fd    int    // guarded by mu: -1 when the connection is over
	eof   bool   // guarded by mu: the peer has ended its side in order
	acked uint64 // guarded by mu, when it is over: bytes the peer has acknowledged
	went  uint64 // guarded by mu, when it is over: bytes acknowledged when the peer sent more
}

// tcpFacts is what the kernel knows of a connection.
type tcpFacts struct {
	state uint8
	acked uint64
	// silent is how long ago the kernel last heard of the peer.
	silent time.Duration
}

// tcpLook asks the kernel. It reports false for a descriptor that is no TCP connection.
func tcpLook(fd int) (tcpFacts, bool) {
	var info unix.TCPInfo
	if !tcpInfo(fd, &info) {
		return tcpFacts{}, false
	}
	silent := min(info.Last_data_recv, info.Last_ack_recv)
	return tcpFacts{
		state:  info.State,
		acked:  info.Bytes_acked,
		silent: time.Duration(silent) * time.Millisecond,
	}, true
}

const (
	// aliveSlack is how much younger a sign of life must be than another connection to be
	// certainly younger: the kernel counts in ticks of up to 10 ms.
	aliveSlack = 20 * time.Millisecond
	// quietMax is the longest time that a peer which is there takes to acknowledge a reply. The
	// kernel repeats the reply several times meanwhile.
	quietMax = 5 * time.Second
)

// over says that the connection ends. went is how many bytes the peer had acknowledged when it sent
// more. After over has returned, the wire does not use the descriptor.
func (w *wire) over(went uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return
	}
	f, _ := w.look(w.fd)
	w.fd, w.acked, w.went = -1, f.acked, went
}

// ended says that the peer has ended its side.
func (w *wire) ended() {
	w.mu.Lock()
	w.eof = true
	w.mu.Unlock()
}

// heard reports whether the peer has acknowledged the first n bytes of the output, or will never
// tell.
func (w *wire) heard(n uint64) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	f, ok := w.look(w.fd)
	return !ok || f.acked >= n || f.state == unix.BPF_TCP_CLOSE
}

// judge returns what another connection, which began at born, is to this one, and as of when. A
// call came by this connection, and a call that looks the same by the other (design record 0023).
// seen is what the kernel has told of connections in this turn.
func (w *wire) judge(a drc.Answer, born time.Time, seen *sights) (r drc.Relation, at time.Time) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.fd < 0 {
		return w.judgeEnd(a), time.Now()
	}
	s := seen.of(w)
	return s.judge(w, a, born), s.at
}

// judgeEnd is judge when the connection is over. mu is held.
func (w *wire) judgeEnd(a drc.Answer) drc.Relation {
	// Bytes that the peer acknowledged before it sent more, or before it ended the connection
	// in order, have reached its program. Otherwise the break may have taken the reply from the
	// program.
	if a.Done && w.acked >= a.End && (w.eof || w.went >= a.End) {
		return drc.Settled
	}
	return drc.Successor
}

// judge is wire.judge as of the moment of the sight. The wire's mu is held.
func (s *sight) judge(w *wire, a drc.Answer, born time.Time) drc.Relation {
	f := &s.facts
	if !s.ok {
		return drc.Stranger // the connection is there; nothing else can be known
	}
	heard := a.Done && f.acked >= a.End
	broken := f.state == unix.BPF_TCP_CLOSE
	switch {
	case heard && (!broken || w.eof):
		return drc.Stranger
	case heard:
		return drc.Unknown // its lane will say whether the peer sent more
	case broken:
		return drc.Successor
	case mayCall(f.state) && s.at.Add(-f.silent).After(born.Add(aliveSlack)):
		return drc.Stranger // both connections are alive
	case a.Done && f.silent >= quietMax && s.at.Sub(a.At) >= quietMax:
		return drc.Successor
	}
	return drc.Unknown
}

// sight is what the kernel told of a connection at a moment.
type sight struct {
	facts tcpFacts
	ok    bool
	at    time.Time
}

// sights are the answers of one turn of a lane. With them the lane asks the kernel once about each
// connection, however many calls depend on the answer.
type sights struct {
	epoch uint64 // the turn
	by    map[*wire]sight
}

// sightsMax is how many answers are remembered. For other connections the lane asks again.
const sightsMax = 1024

// now returns the sights for a turn. It forgets those of an earlier turn.
func (s *sights) now(epoch uint64) *sights {
	if s.epoch != epoch {
		s.epoch = epoch
		clear(s.by)
	}
	return s
}

// count returns the number of connections about which the kernel has been asked in a turn.
func (s *sights) count(epoch uint64) int { return len(s.now(epoch).by) }

// of returns the sight of a connection that is not over. The wire's mu is held.
func (s *sights) of(w *wire) sight {
	if got, ok := s.by[w]; ok {
		return got
	}
	got := sight{at: time.Now()}
	got.facts, got.ok = w.look(w.fd)
	if len(s.by) < sightsMax {
		if s.by == nil {
			s.by = make(map[*wire]sight)
		}
		s.by[w] = got
	}
	return got
}

// mayCall reports whether the peer has not ended its side of the connection.
func mayCall(state uint8) bool {
	switch state {
	case unix.BPF_TCP_ESTABLISHED, unix.BPF_TCP_FIN_WAIT1, unix.BPF_TCP_FIN_WAIT2:
		return true
	}
	return false
}

// known makes sure that the connection has a wire.
func (cn *conn) known() {
	if cn.wire == nil {
		cn.wire = &wire{born: cn.born, look: cn.lane.srv.look, fd: cn.fd, eof: cn.eof}
	}
}

// mayHaveHeard is called when n bytes have been received.
func (cn *conn) mayHaveHeard(n int) {
	if cn.got += uint64(n); cn.went < cn.once && cn.got > cn.onceGot {
		cn.wentOn()
	}
}

// bytesReceived asks the kernel how many bytes the peer has sent so far, whether or not anybody has
// received them. For a descriptor that is no TCP connection nobody knows.
func bytesReceived(fd int) uint64 {
	var info unix.TCPInfo
	if !tcpInfo(fd, &info) {
		return math.MaxUint64
	}
	return info.Bytes_received
}

// tcpInfo asks the kernel for what it knows of a connection (TCP_INFO, tcp(7)), without allocating.
func tcpInfo(fd int, info *unix.TCPInfo) bool {
	n := uint32(unix.SizeofTCPInfo)
	_, _, errno := unix.RawSyscall6(
		unix.SYS_GETSOCKOPT,
		uintptr(fd),
		unix.IPPROTO_TCP,
		unix.TCP_INFO,
		uintptr(unsafe.Pointer(info)),
		uintptr(unsafe.Pointer(&n)),
		0,
	)
	return errno == 0
}

// unacked asks the kernel how many bytes of the output the peer has not acknowledged (SIOCOUTQ,
// tcp(7)). It reports false where that is not told, as for other sockets.
func unacked(fd int) (n uint64, ok bool) {
	var m int32
	_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ,
		uintptr(unsafe.Pointer(&m)))
	return uint64(m), errno == 0
}

// wentOn is called when something has been received. If the peer has acknowledged the last reply
// that must not be given twice, wentOn notes that the peer went on after hearing it. The time of
// receiving counts, not that of parsing, which may be after the reply: bytes that a peer sends
// without waiting for replies prove nothing.
func (cn *conn) wentOn() {
	// The sends in flight count as not sent, although the kernel may have some of their bytes.
	n, ok := unacked(cn.fd)
	heard := ok && cn.queued-uint64(cn.unsent) >= cn.once+n
	if !ok { // ioctl(2) may be refused
		f, ok := cn.wire.look(cn.fd)
		heard = ok && f.acked >= cn.once
	}
	if heard {
		cn.went = cn.once
	}
}

// forgotten ends what other lanes may ask of the connection.
func (cn *conn) forgotten() {
	if cn.wire != nil {
		cn.wire.over(cn.went)
	}
}

// owed reports whether the peer has not heard the last reply that must not be given twice. The
// answer decides about the next connection that brings an equal call.
func (cn *conn) owed() bool {
	return cn.wire != nil && cn.life < lifeDraining && !cn.wire.heard(cn.once)
}
