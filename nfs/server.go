package nfs

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/nfs/transport"
	nfs3 "github.com/ringnfs/ringnfs/nfs/v3"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
	"github.com/ringnfs/ringnfs/uring"
)

// Server serves exports over NFS version 3. See the package comment.
type Server struct {
	cfg       Config
	features  []Feature
	kernel    string
	table     *export.Table
	sockets   *sockets
	listeners []transport.Listener
	transport *transport.Server

	mu      sync.Mutex
	state   state         // guarded by mu
	started chan struct{} // closed when Serve has started the threads, or failed to
	ready   chan struct{} // closed when it has started them
	drained chan struct{} // closed when everything is closed
}

type state uint8

const (
	stateNew state = iota
	stateServing
	stateEnded
)

// ErrUsed is returned by Serve when the Server serves or has served already.
var ErrUsed = errors.New("nfs: the server has been used already")

// New opens the exports, the state directory and the sockets, and checks that
// the kernel has what is needed. It answers nothing yet. An error names what
// failed and what to do about it, and leaves nothing open. New may block on the
// file systems.
func New(cfg Config) (s *Server, err error) {
	if err = cfg.settle(); err != nil {
		closeExports(cfg.Exports)
		return nil, err
	}
	s = &Server{cfg: cfg, started: make(chan struct{}), ready: make(chan struct{}), drained: make(chan struct{})}
	if s.kernel, s.features, err = probe(&s.cfg); err != nil {
		closeExports(cfg.Exports)
		return nil, err
	}
	if s.sockets, err = bind(&s.cfg); err != nil {
		closeExports(cfg.Exports)
		return nil, err
	}
	s.listeners = s.sockets.all()
	if err = s.open(); err != nil {
		s.sockets.close()
		return nil, err
	}
	return s, nil
}

// used are the features that a server makes use of. The others are there for
// those who use package uring by itself.
const used = uring.SingleIssuer | uring.DeferTaskrun | uring.NoSQArray | uring.RegisteredRing | uring.NoIOWait |
	uring.RecvMultishot | uring.Bundle | uring.IncBufRing | uring.SendZC | uring.SendMsgZC | uring.ZCReportUsage

// probe makes a ring like those of the lanes, to see what the kernel allows.
func probe(cfg *Config) (kernel string, features []Feature, err error) {
	without, err := cfg.without()
	if err != nil {
		return "", nil, err
	}
	runtime.LockOSThread() // the ring is this thread's
	defer runtime.UnlockOSThread()
	ring, err := uring.New(uring.Config{Without: without})
	if err != nil {
		return "", nil, fmt.Errorf("nfs: no io_uring: %w", err)
	}
	f := ring.Features()
	for st := range f.All() {
		if st.Feature == uring.RecvMultishot && st.Presence != uring.Found {
			return "", nil, errors.Join(fmt.Errorf("nfs: io_uring cannot do without %v (Linux 6.1 has it): %s", st.Feature, st.Reason), ring.Close())
		}
		if st.Feature&used == 0 {
			continue
		}
		features = append(features, Feature{Name: st.Feature.String(), On: st.Presence == uring.Found, Why: st.Reason})
	}
	kernel = f.Kernel
	return kernel, features, ring.Close()
}

// open opens the exports and puts the programs together.
func (s *Server) open() (err error) {
	var exports []export.Export
	defer func() {
		if err != nil {
			for i := range exports {
				err = errors.Join(err, exports[i].FS.Close())
			}
			closeExports(s.cfg.Exports[len(exports):])
		}
	}()
	key, err := export.LoadKey(s.cfg.StateDir)
	if err != nil {
		return err
	}
	volumes := make(volumes)
	caches, connections := descriptors(openFilesLimit(), len(s.cfg.Exports))
	for i := range s.cfg.Exports {
		x, volume := &s.cfg.Exports[i], 0
		if x.FS == nil {
			fs, err := posixfs.New(posixfs.Config{Dir: x.Dir, FDMax: caches, Writes: s.cfg.WritePath, IO: x.IO})
			if err != nil {
				return fmt.Errorf("nfs: export %s: %w", x.Dir, err)
			}
			x.FS = fs
			volume = volumes.of(x.Dir)
		} else {
			volume = volumes.add(x)
		}
		exports = append(exports, export.Export{
			Path: x.Dir, FS: x.FS, Volume: volume,
			Options: export.Options{ReadOnly: x.ReadOnly, Squash: x.Squash, AnonUID: x.AnonUID, AnonGID: x.AnonGID, Allow: x.Allow},
		})
	}
	if err := refuseNested(exports); err != nil {
		return err
	}
	workers := s.cfg.Workers
	if workers == 0 {
		workers = transport.WorkersDefault
	}
	datagrams := 0
	for i := range s.listeners {
		if s.listeners[i].Datagram {
			datagrams++
		}
	}
	places := transport.Places(s.cfg.Lanes, workers, datagrams)
	if s.table, err = export.NewTable(key, places, exports); err != nil {
		return err
	}
	exports = nil // the table closes them
	defer func() {
		if err != nil {
			err = errors.Join(err, s.table.Close())
		}
	}()
	s.programs(places)
	receive, send := s.cfg.receiveShare()
	without, err := s.cfg.without()
	if err != nil {
		return err
	}
	s.transport, err = transport.New(transport.Config{
		Lanes: s.cfg.Lanes, Workers: workers, Volumes: len(volumes),
		ReceiveBytes: receive, SendBytes: send,
		RecordMax: s.cfg.transfer() + slack, ReplyMax: s.cfg.transfer() + slack,
		ReadPath:     s.cfg.ReadPath,
		SpliceFrom:   s.cfg.SpliceFrom,
		ZeroCopyFrom: s.cfg.ZeroCopyFrom,
		Spin:         s.cfg.Spin,
		ConnsMax:     connections,
		Without:      without,
		Attach:       func(p *rpc.Place) error { return s.table.Attach(p.Index, p.Thread) },
		Detach:       func(p *rpc.Place) { s.table.Detach(p.Index) },
		Duplicates:   drc.New(drc.Config{}),
		Log:          s.cfg.Log,
	})
	return err
}

// volumes numbers file systems, by device, and what callers gave us.
type volumes map[any]int

func (v volumes) add(key any) int {
	n, ok := v[key]
	if !ok {
		n = len(v) + 1
		v[key] = n
	}
	return n
}

// of returns the number of the file system that dir is on.
func (v volumes) of(dir string) int {
	var st unix.Stat_t
	if err := unix.Stat(dir, &st); err != nil {
		return v.add(dir) // gone meanwhile
	}
	return v.add(st.Dev)
}

// programs gives each listener the programs that answer there.
func (s *Server) programs(places int) {
	nfsProgram := nfs3.New(s.table, nfs3.Config{ReadMax: s.cfg.ReadMax, WriteMax: s.cfg.WriteMax, Places: places})
	mountProgram := mount.New(s.table)
	var together *rpc.Server
	if s.cfg.MountPort == s.cfg.Port {
		together = s.serverOf(nfsProgram, mountProgram)
	} else {
		together = s.serverOf(nfsProgram)
	}
	mountOnly := s.serverOf(mountProgram)
	portmapOnly := s.serverOf(portmap.New(s.registry()))
	n, m := len(s.sockets.nfs), len(s.sockets.mount)
	for i := range s.listeners {
		switch {
		case i < n:
			s.listeners[i].Programs = together
		case i < n+m:
			s.listeners[i].Programs = mountOnly
		default:
			s.listeners[i].Programs = portmapOnly
		}
	}
}

func (s *Server) serverOf(programs ...*rpc.Program) *rpc.Server {
	r := rpc.NewServer(programs...)
	r.OnPanic = func(c *rpc.Call, value any, stack []byte) {
		s.cfg.Log.Error("a procedure failed", "program", c.Prog, "version", c.Vers, "procedure", c.Proc,
			"peer", c.Peer, "panic", value, "stack", string(stack))
	}
	r.OnFault = func(c *rpc.Call, err error) {
		s.cfg.Log.Error("a procedure broke its contract", "program", c.Prog, "version", c.Vers, "procedure", c.Proc,
			"peer", c.Peer, "error", err)
	}
	return r
}

// Serve answers calls until Drain or Close, or until a lane fails; then it
// returns why. When ctx ends, remaining connections are dropped. It blocks, and
// closes everything before it returns.
func (s *Server) Serve(ctx context.Context) error {
	if !s.enter(stateServing) {
		if s.serves() {
			return ErrUsed
		}
		<-s.drained // Drain or Close came first, which is no failure
		return nil
	}
	defer close(s.drained)
	err := s.transport.Start(s.listeners)
	close(s.started)
	if err == nil {
		close(s.ready)
		stop := context.AfterFunc(ctx, func() { _ = s.transport.Close() })
		err = s.transport.Wait()
		stop()
	}
	return errors.Join(err, s.table.Close())
}

// Ready returns a channel that is closed when Serve has started all threads: from then
// on calls are answered, and all memory and descriptors that the server needs by
// itself are open. It stays open when Serve fails before that, or is never called.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// enter moves from stateNew to to.
func (s *Server) enter(to state) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateNew {
		return false
	}
	s.state = to
	return true
}

// serves reports whether Serve has been called in time.
func (s *Server) serves() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateServing
}

// Drain stops accepting connections and calls, finishes the calls that have been
// received, sends their replies, and ends Serve. When ctx ends first, the
// remaining connections are dropped. It blocks until Serve is about to return,
// and may be called from any goroutine.
func (s *Server) Drain(ctx context.Context) error {
	if s.enter(stateEnded) {
		defer close(s.drained)
		s.sockets.close()
		return s.table.Close()
	}
	if !s.serves() {
		<-s.drained
		return nil
	}
	<-s.started
	err := s.transport.Drain(ctx)
	<-s.drained
	return err
}

// Close ends the server at once: connections are dropped, calls that a file
// system is busy with run to their end. It blocks like Drain.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Drain(ctx)
}

// descriptors shares out the limit on open files: caches are what each of n exports
// may keep open, connections how many of them there may be. The rest is for
// operations in progress. Without a bound on connections one client that opens them
// and says nothing would keep all others from opening a file.
func descriptors(limit uint64, n int) (caches, connections int) {
	all := min(limit/4, 1<<17)
	rest := min(limit/8, 512)
	return int(all) / n, int(min(limit-all-rest, transport.ConnsDefault))
}

func openFilesLimit() uint64 {
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err != nil {
		return 1024
	}
	return limit.Cur
}

// closeExports closes the file systems that the caller handed over.
func closeExports(exports []Export) {
	for i := range exports {
		if exports[i].FS != nil {
			_ = exports[i].FS.Close()
		}
	}
}

// registry tells the portmapper what answers where. Mappings are the same on all
// addresses of a protocol family.
func (s *Server) registry() *portmap.Registry {
	r := &portmap.Registry{}
	add := func(list []transport.Listener, program uint32, versions ...uint32) {
		for i := range list {
			for _, v := range versions {
				m := portmap.Mapping{Prog: program, Vers: v, Netid: netid(&list[i]), Port: list[i].Addr.Port()}
				if !slices.Contains(r.Mappings, m) {
					r.Mappings = append(r.Mappings, m)
				}
			}
		}
	}
	add(s.sockets.portmap, portmap.RPCBPROG, 4, 3, 2)
	add(s.sockets.nfs, nfs3.Number, 3)
	if s.cfg.MountPort == s.cfg.Port {
		add(s.sockets.nfs, mount.MOUNT_PROGRAM, 1, 2, 3)
	}
	add(s.sockets.mount, mount.MOUNT_PROGRAM, 1, 2, 3)
	return r
}

// netid is RFC 5665's name of the listener's transport.
func netid(ln *transport.Listener) portmap.Netid {
	name := "tcp"
	if ln.Datagram {
		name = "udp"
	}
	if a := ln.Addr.Addr(); a.Is6() && !a.Is4In6() {
		name += "6"
	}
	return portmap.Netid(name)
}
