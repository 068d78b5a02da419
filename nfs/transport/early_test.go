package transport

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/mount"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/drc"
	v3 "github.com/ringnfs/ringnfs/nfs/v3"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs"
	"github.com/ringnfs/ringnfs/uring"
)

// earlyRing makes the mistake that the server must not make: it passes the completion of a
// zero-copy send off as the operation's last one and swallows the notification. The lane then uses
// the slabs again while the kernel still reads them. nfs/interop shows with it that its clients
// notice.
type earlyRing struct {
	ring
	given []*uring.SQE    // entries since the last submission
	zc    map[uint64]bool // user data of zero-copy sends without their completion
}

// entryCode returns the operation of an entry: its first byte (struct io_uring_sqe).
func entryCode(s *uring.SQE) byte { return *(*byte)(unsafe.Pointer(s)) }

// Operations of struct io_uring_sqe.
const (
	opSendZC    = 47
	opSendMsgZC = 48
)

func (r *earlyRing) SQE() *uring.SQE {
	s := r.ring.SQE()
	if s != nil {
		r.given = append(r.given, s)
	}
	return s
}

// look finds the zero-copy sends among the entries that are about to be submitted.
func (r *earlyRing) look() {
	for _, s := range r.given {
		if c := entryCode(s); c == opSendZC || c == opSendMsgZC {
			r.zc[s.UserData()] = true
		}
	}
	r.given = r.given[:0]
}

func (r *earlyRing) Submit() (int, error) {
	r.look()
	return r.ring.Submit()
}

func (r *earlyRing) Wait(min uint32, timeout time.Duration) error {
	r.look()
	return r.ring.Wait(min, timeout)
}

func (r *earlyRing) Harvest(dst []uring.CQE) int {
	kept := 0
	for _, c := range dst[:r.ring.Harvest(dst)] {
		switch {
		case c.Notif():
			continue
		case r.zc[c.UserData]:
			delete(r.zc, c.UserData)
			c.Flags = 0 // no MORE: that was all
		}
		dst[kept] = c
		kept++
	}
	return kept
}

// serveForInterop serves $RINGNFS_TEST_SERVE on port 2049 of every address until
// SIGTERM, in one lane with the least memory and all large READs without a copy, and
// prints the lane's figures at the end. With $RINGNFS_TEST_EARLY slabs are used again
// before their notification.
func serveForInterop(dir string) (err error) {
	runtime.GOMAXPROCS(8)
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGTERM)
	state, err := os.MkdirTemp("", "state-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(state)
	key, err := export.LoadKey(state)
	if err != nil {
		return err
	}
	fs, err := posixfs.New(posixfs.Config{Dir: dir, FDMax: 100})
	if err != nil {
		return err
	}
	const workers = 8
	table, err := export.NewTable(key, Places(1, workers, 0), []export.Export{{
		Path: dir, FS: fs, Options: export.Options{Squash: export.SquashNone, Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}},
	}})
	if err != nil {
		return errors.Join(err, fs.Close())
	}
	defer func() { err = errors.Join(err, table.Close()) }()
	srv, err := New(Config{
		Lanes: 1, Workers: workers, ReceiveBytes: 8 << 20, SendBytes: 24 << 20, ReadPath: PathZeroCopy,
		Attach:     func(p *rpc.Place) error { return table.Attach(p.Index, p.Thread) },
		Detach:     func(p *rpc.Place) { table.Detach(p.Index) },
		Duplicates: drc.New(drc.Config{}),
	})
	if err != nil {
		return err
	}
	if os.Getenv("RINGNFS_TEST_EARLY") != "" {
		srv.newRing = func(without uring.Feature) (ring, error) {
			r, err := newKernelRing(without)
			return &earlyRing{ring: r, zc: make(map[uint64]bool)}, err
		}
	}
	fd, err := listenEverywhere(2049)
	if err != nil {
		return err
	}
	programs := rpc.NewServer(
		v3.New(table, v3.Config{Places: Places(1, workers, 0)}),
		mount.New(table, mount.Config{}),
	)
	if err := srv.Start([]Listener{{FD: fd, Programs: programs}}); err != nil {
		return err
	}
	<-signals
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	err = srv.Drain(ctx)
	s := srv.Stats()[0]
	fmt.Printf(
		"lane zero_copy=%d copied=%d pinned=%d pinned_most=%d acks=%d\n",
		s.ZeroCopy,
		s.Copied,
		s.Pinned,
		s.PinnedMost,
		s.Ack.Count(),
	)
	return err
}

func listenEverywhere(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, err
	}
	if err = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err == nil {
		err = unix.Bind(fd, &unix.SockaddrInet4{Port: port})
	}
	if err == nil {
		err = unix.Listen(fd, 128)
	}
	if err != nil {
		return -1, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}
