package nfs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfsacl"
	"github.com/ringnfs/ringnfs/nfs/notice"
	"github.com/ringnfs/ringnfs/nfs/portmap"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	"github.com/ringnfs/ringnfs/nfs/syscalls"
	"github.com/ringnfs/ringnfs/nfs/transport"
	v3 "github.com/ringnfs/ringnfs/nfs/v3"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
	"github.com/ringnfs/ringnfs/uring"
)

// Server serves exports over NFS. See the package comment.
type Server struct {
	cfg       Config
	log       *notice.Queue // behind cfg.Log
	features  []Feature
	without   uring.Feature // features that are switched off, or failed when tried
	kernel    string
	table     *export.Table
	faults    *complaints
	sockets   *sockets
	listeners []transport.Listener
	transport *transport.Server
	origins   *origins
	journal   *journal
	notes     []string // what the server has to do without
	readOnly  []string // directories that are mounted read-only

	state4   *state4        // nil without version 4
	shedders []*shedder     // immutable once open has returned
	shedding sync.WaitGroup // the shedders' goroutines

	// ended is told of each connection that is over. It is nil without version 4, and immutable
	// once New has returned.
	ended func(conn uint64)

	mu      sync.Mutex
	state   state         // guarded by mu
	started chan struct{} // closed when Serve has started the threads, or failed to
	ready   chan struct{} // closed when Serve has started them
	drained chan struct{} // closed when everything is closed
}

type state uint8

const (
	stateNew state = iota
	stateServing
	stateEnded
)

// ErrUsed is what Serve returns when the Server serves or has served already.
var ErrUsed = errors.New("nfs: the server has been used already")

// New opens the exports, the state directory and the sockets, and checks that the kernel has what
// is needed. The Server answers nothing before Serve. An error names what failed and what to do
// about it; then nothing stays open. New may block on the file systems.
func New(cfg Config) (s *Server, err error) {
	defer func() { err = outOfDescriptors(err) }()
	if err = cfg.settle(); err != nil {
		closeExports(cfg.Exports)
		return nil, err
	}
	// Lanes and workers write lines, and must not wait for a slow reader of the log.
	log := notice.Behind(cfg.Log.Handler())
	cfg.Log = slog.New(log)
	defer func() {
		if err != nil {
			log.Flush(notice.FlushMax)
		}
	}()
	if err = syscalls.Check(); err != nil {
		closeExports(cfg.Exports)
		return nil, fmt.Errorf("nfs: %w", err)
	}
	if err = cfg.settleReadPath(); err != nil {
		closeExports(cfg.Exports)
		return nil, err
	}
	s = &Server{
		cfg:     cfg,
		log:     log,
		faults:  newComplaints(cfg.Log),
		started: make(chan struct{}),
		ready:   make(chan struct{}),
		drained: make(chan struct{}),
	}
	if err = s.probe(); err != nil {
		closeExports(cfg.Exports)
		return nil, err
	}
	if s.sockets, err = bind(&s.cfg); err != nil {
		closeExports(cfg.Exports)
		return nil, err
	}
	s.listeners = s.sockets.all()
	s.journal = newJournal(s.cfg.Log)
	var note string
	if s.origins, note = openOrigins(s.cfg.TrustLocal, s.listeners); note != "" {
		s.notes = append(s.notes, note)
	}
	if err = s.open(); err != nil {
		s.sockets.close()
		return nil, errors.Join(err, s.origins.close())
	}
	return s, nil
}

// used are the features that a server uses. Package uring offers the others to its other callers.
const used = uring.SingleIssuer | uring.DeferTaskrun | uring.NoSQArray | uring.RegisteredRing | uring.NoIOWait |
	uring.RecvMultishot | uring.Bundle | uring.IncBufRing | uring.SendZC | uring.SendMsgZC | uring.ZCReportUsage

// tryRing is a variable so that tests can stand for a kernel that does wrong.
var tryRing = transport.TryRing

// newTransport is a variable so that tests can make it fail.
var newTransport = transport.New

// probe makes a ring like those of the lanes, to see what the kernel allows. It also tries whether
// the features that the kernel has work as they should.
func (s *Server) probe() (err error) {
	if s.without, err = s.cfg.without(); err != nil {
		return err
	}
	receive, _ := s.cfg.receiveShare()
	runtime.LockOSThread() // the ring is this thread's
	defer runtime.UnlockOSThread()
	ring, err := uring.New(uring.Config{Without: s.without})
	if err != nil {
		return fmt.Errorf("nfs: no io_uring: %w", err)
	}
	f := ring.Features()
	if err := ring.Close(); err != nil {
		return err
	}
	if st := f.State(uring.RecvMultishot); st.Presence != uring.Found {
		return fmt.Errorf("nfs: io_uring cannot do without %v (Linux 6.1 has it): %s", st.Feature, st.Reason)
	}
	unfit, err := tryRing(s.without, receive)
	if err != nil {
		return fmt.Errorf("nfs: %w", err)
	}
	s.kernel = f.Kernel
	s.features = featuresOf(f, unfit)
	for _, u := range unfit {
		s.without |= u.Feature
	}
	return nil
}

// featuresOf lists the features that a server uses, and why some of them are off.
func featuresOf(f *uring.Features, unfit []transport.Unfit) (features []Feature) {
	for st := range f.All() {
		if st.Feature&used == 0 {
			continue
		}
		x := Feature{Name: st.Feature.String(), On: st.Presence == uring.Found, Why: st.Reason}
		for _, u := range unfit {
			if u.Feature == st.Feature {
				x.On, x.Why = false, u.Why
			}
		}
		features = append(features, x)
	}
	return features
}

// open opens the exports and puts the programs together.
func (s *Server) open() (err error) {
	var exports []export.Export
	defer func() {
		if err != nil && s.table == nil { // the table, once made, closes them
			for i := range exports {
				err = errors.Join(err, exports[i].FS.Close())
			}
			closeExports(s.cfg.Exports[len(exports):])
		}
	}()
	workers := s.cfg.Workers
	if workers == 0 {
		workers = transport.WorkersDefault
	}
	lanes := transport.Lanes(s.cfg.Lanes, true)
	holders := holders{
		open:    openFiles(),
		lanes:   lanes,
		splice:  s.cfg.ReadPath.Splices(),
		workers: workers,
		exports: len(s.cfg.Exports),
	}
	files, err := holders.share(openFilesLimit())
	if err != nil {
		return err
	}
	growTable(files.expected(holders))
	loaded := s.sayLate(
		"waiting for the file system of the state directory: it does not answer; does its process "+
			"(FUSE), server or disc hang, or is it frozen?",
		"directory",
		s.cfg.StateDir,
	)
	key, err := loadKey(s.cfg.StateDir)
	loaded()
	if err != nil {
		return stateDirRemedy(s.cfg.StateDir, err)
	}
	if why := export.Volatile(s.cfg.StateDir); why != "" {
		s.notes = append(s.notes, why)
	}
	volumes := make(volumes)
	for i := range s.cfg.Exports {
		x, volume := &s.cfg.Exports[i], 0
		opened := s.sayLate(
			"waiting for the file system of an export: it does not answer; does its process (FUSE), "+
				"server or disc hang?",
			"export",
			x.Dir,
		)
		defer opened() // after an error
		if x.FS == nil {
			fs, err := posixfs.New(
				posixfs.Config{
					Dir:    x.Dir,
					FDMax:  files.caches,
					Writes: s.cfg.WritePath,
					IO:     x.IO,
					Log:    s.cfg.Log,
					Shut:   s.cfg.StateDir,

					Exclusive: x.Exclusive,
				},
			)
			if err != nil {
				return fmt.Errorf("nfs: export %s: %w%s", x.Dir, err, dirRemedy(err))
			}
			x.FS = fs
			volume = volumes.of(x.Dir)
			if mountedReadOnly(x.Dir) {
				s.readOnly = append(s.readOnly, x.Dir)
			}
		} else {
			if root := x.FS.Root(); root.Len() == 0 {
				return fmt.Errorf(
					"nfs: export %s: the Root of its FS is an empty handle: a handle has 1 to %d bytes",
					x.Dir,
					vfs.HandleMax,
				)
			}
			volume = volumes.add(x)
		}
		if fs, ok := x.FS.(interface{ ActsForOthers() bool }); ok && !fs.ActsForOthers() {
			s.origins.alone = true
		}
		present, err := s.mapped(x, x.FS)
		if err != nil {
			return err
		}
		exports = append(exports, export.Export{
			Path: x.Dir, FS: held(x.FS, x.Dir, s.faults), Volume: volume,
			Options: export.Options{
				ReadOnly: x.ReadOnly,
				Squash:   x.Squash,
				AnonUID:  x.AnonUID,
				AnonGID:  x.AnonGID,
				Allow:    x.Allow,
				Insecure: x.Insecure,
				Mapped:   present,
			},
		})
		opened()
	}
	if err := refuseNested(exports); err != nil {
		return err
	}
	if err := refuseShared(s.cfg.Exports, exports); err != nil {
		return err
	}
	datagrams := 0
	for i := range s.listeners {
		if s.listeners[i].Datagram {
			datagrams++
		}
	}
	places := transport.Places(lanes, workers, datagrams)
	if s.table, err = export.NewTable(key, places, exports); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.state4.close(), s.table.Close())
		}
	}()
	if err = s.programs(places); err != nil {
		return err
	}
	s.shedders = newShedders(s.cfg.Exports)
	receive, send := s.cfg.receiveShare()
	s.transport, err = newTransport(transport.Config{
		Lanes:          s.cfg.Lanes,
		Workers:        workers,
		Volumes:        len(volumes),
		ReceiveBytes:   receive,
		SendBytes:      send,
		Reserve:        true,
		ReserveReceive: reserveReceive(s.cfg.transfer()),
		ReserveSend:    reserveSend(s.cfg.transfer()),
		RecordMax:      s.cfg.transfer() + slack,
		ReplyMax:       s.cfg.transfer() + slack,
		ReadPath:       s.cfg.ReadPath,
		SpliceFrom:     s.cfg.SpliceFrom,
		ZeroCopyFrom:   s.cfg.ZeroCopyFrom,
		Spin:           s.cfg.Spin,
		ConnsMax:       files.connections,
		PipesMax:       files.pipes,
		Without:        s.without,
		Attach:         func(p *rpc.Place) error { return s.table.Attach(p.Index, p.Thread) },
		Detach:         func(p *rpc.Place) { s.table.Detach(p.Index) },
		Origin:         s.origins.origin,
		Renew:          s.origins.renew,
		Shed:           s.shed,
		Ended:          s.ended,
		Duplicates:     drc.New(drc.Config{}),
		Log:            s.cfg.Log,
	})
	return err
}

// lateAfter is how long an export may take to open before the log names it.
var lateAfter = 5 * time.Second

// loadKey is a variable so that tests can stand for a file system that hangs.
var loadKey = export.LoadKey

// stateDirRemedy adds to an error of the state directory what to do about it, if the error does not
// say.
func stateDirRemedy(dir string, err error) error {
	var refused unix.Errno // by the kernel; an error of LoadKey's own says what to do
	if !errors.As(err, &refused) || strings.Contains(err.Error(), "--state-dir") {
		return err
	}
	return fmt.Errorf(
		"nfs: state directory %s: %w; make room or give the rights there, or give --state-dir another one",
		dir,
		err,
	)
}

// sayLate logs message about a directory that takes long to open, once, unless opened is called
// before. what is the attribute's name for the directory.
func (s *Server) sayLate(message, what, dir string) (opened func()) {
	late := time.AfterFunc(lateAfter, func() { s.cfg.Log.Warn(message, what, dir) })
	return func() { late.Stop() }
}

// programs gives each listener the programs that answer on it.
func (s *Server) programs(places int) error {
	nfsProgram := v3.New(
		s.table,
		v3.Config{
			ReadMax:  s.cfg.ReadMax,
			WriteMax: s.cfg.WriteMax,
			Places:   places,
			Refused:  s.journal.refused,
		},
	)
	if s.cfg.Versions&^NFSv3 != 0 {
		if err := s.withVersion4(nfsProgram, places); err != nil {
			return err
		}
	}
	mountProgram := mount.New(
		s.table,
		mount.Config{ReplyMax: s.cfg.transfer() + slack, Answered: s.journal.mounted},
	)
	aclProgram := nfsacl.New(s.table, nfsacl.Config{Refused: s.journal.refused})
	var together *rpc.Server
	if s.cfg.MountPort == s.cfg.Port {
		together = s.serverOf(nfsProgram, aclProgram, mountProgram)
	} else {
		together = s.serverOf(nfsProgram, aclProgram)
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
	return nil
}

func (s *Server) serverOf(programs ...*rpc.Program) *rpc.Server {
	r := rpc.NewServer(programs...)
	// The log has the stack of the first panic of a kind, which is enough to find the fault.
	r.OnPanic = func(c *rpc.Call, value any, stack []byte) {
		s.faults.error(
			"a procedure panicked; the call failed",
			fmt.Sprintf("panic %d.%d.%d", c.Prog, c.Vers, c.Proc),
			"program",
			c.Prog,
			"version",
			c.Vers,
			"procedure",
			c.Proc,
			"peer",
			c.Peer,
			"panic",
			value,
			"stack",
			string(stack),
		)
	}
	r.OnFault = func(c *rpc.Call, err error) {
		s.faults.error(
			"a procedure broke its contract; the call failed",
			fmt.Sprintf("fault %d.%d.%d", c.Prog, c.Vers, c.Proc),
			"program",
			c.Prog,
			"version",
			c.Vers,
			"procedure",
			c.Proc,
			"peer",
			c.Peer,
			"error",
			err,
		)
	}
	r.OnClaim = s.journal.claimed
	return r
}

// Serve answers calls until Drain or Close, or until a lane fails; then it returns why. When ctx
// ends, Serve drops the remaining connections. It blocks, and closes everything before it returns.
func (s *Server) Serve(ctx context.Context) error {
	if !s.enter(stateServing) {
		if s.serves() {
			return ErrUsed
		}
		<-s.drained // Drain or Close came first, which is no failure
		return nil
	}
	defer close(s.drained)
	defer s.log.Flush(notice.FlushMax)
	err := outOfDescriptors(s.transport.Start(s.listeners))
	close(s.started)
	if err == nil {
		close(s.ready)
		s.state4.begin()
		stop := context.AfterFunc(ctx, func() { _ = s.transport.Close() })
		err = s.transport.Wait()
		stop()
	}
	s.shedding.Wait() // nobody starts another: the transport has ended
	return errors.Join(err, s.state4.close(), s.table.Close(), s.origins.close())
}

// Ready returns a channel that is closed when Serve has started all threads. From then on calls are
// answered, and the server has opened all memory and descriptors that it needs for itself. The
// channel stays open when Serve fails before that, or is never called.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// enter moves the Server from stateNew to the state to. It reports false if the Server is not new.
func (s *Server) enter(to state) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.state != stateNew {
		return false
	}
	s.state = to
	return true
}

// serves reports whether Serve was called before Drain or Close.
func (s *Server) serves() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.state == stateServing
}

// Drain stops accepting connections and calls, finishes the calls that have been received, sends
// their replies, and ends Serve. When ctx ends first, Drain drops the remaining connections. It
// blocks until Serve is about to return. Any goroutine may call it.
func (s *Server) Drain(ctx context.Context) error {
	if s.enter(stateEnded) {
		defer close(s.drained)
		s.sockets.close()
		return errors.Join(s.state4.close(), s.table.Close(), s.origins.close())
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

// Close ends the server at once. It drops connections; calls that a file system is busy with run to
// their end. It blocks like Drain.
func (s *Server) Close() error {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Drain(ctx)
}

// outOfDescriptors adds to an error of the start what to do about too few descriptors.
func outOfDescriptors(err error) error {
	switch {
	case errors.Is(err, uring.ErrDescriptors): // its text says what to do
	case errors.Is(err, unix.EMFILE):
		return fmt.Errorf(
			"%w: the process may open %d files: raise that (ulimit -n, LimitNOFILE=), or have fewer lanes or exports",
			err,
			openFilesLimit(),
		)
	case errors.Is(err, unix.ENFILE):
		return fmt.Errorf(
			"%w: the whole system has as many files open as it may: raise sysctl fs.file-max",
			err,
		)
	}
	return err
}

// registry lists for the port mapper which programs answer on which ports. All addresses of a
// protocol family have the same ports.
func (s *Server) registry() *portmap.Registry {
	r := &portmap.Registry{}
	add := func(list []transport.Listener, program uint32, versions ...uint32) {
		for i := range list {
			for _, v := range versions {
				m := portmap.Mapping{
					Prog:  program,
					Vers:  v,
					Netid: netid(&list[i]),
					Port:  list[i].Addr.Port(),
				}
				if !slices.Contains(r.Mappings, m) {
					r.Mappings = append(r.Mappings, m)
				}
			}
		}
	}
	add(s.sockets.portmap, portmap.RPCBPROG, 4, 3, 2)
	if s.cfg.Versions&NFSv3 != 0 {
		add(s.sockets.nfs, nfs3.NFS_PROGRAM, 3)
		add(s.sockets.nfs, nfsacl.NFS_ACL_PROGRAM, nfsacl.NFS_ACL_V3)
	}
	if s.cfg.Versions&^NFSv3 != 0 {
		add(s.sockets.nfs, nfs3.NFS_PROGRAM, 4)
	}
	if s.cfg.MountPort == s.cfg.Port {
		add(s.sockets.nfs, mount3.MOUNT_PROGRAM, 1, 2, 3)
	}
	add(s.sockets.mount, mount3.MOUNT_PROGRAM, 1, 2, 3)
	return r
}

// netid is the name that RFC 5665 gives to the listener's transport.
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
