package mounts

import (
	"encoding/binary"
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// watch tells every FS of the process when somebody mounts or unmounts something anywhere in the
// process's mount namespace. It is one goroutine that sleeps in poll(2): /proc/self/mountinfo has
// POLLPRI if the table has changed since the previous poll.
type watch struct {
	mu    futex.Mutex
	told  map[chan<- struct{}]bool // the channels of Tell
	stop  int                      // eventfd that ends the goroutine
	ended chan struct{}            // closed when the goroutine has ended
}

// process is the only watch. The process has one mount table.
var process watch

// Tell sends on c after each change of the mount table until Forget. c has room for one value. Tell
// sends once at the beginning, too, because something may have changed before.
func Tell(c chan<- struct{}) error { return process.tell(c) }

// Forget ends what Tell has begun with c, if anything. When it returns for the last such channel,
// the goroutine has ended.
func Forget(c chan<- struct{}) { process.forget(c) }

// tell is Tell for this watch.
func (m *watch) tell(c chan<- struct{}) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.told) == 0 {
		if err := m.start(); err != nil {
			return fmt.Errorf("posixfs: watching for mounts: %w", err)
		}
		m.told = make(map[chan<- struct{}]bool)
	}
	m.told[c] = true
	notify(c)
	return nil
}

func notify(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default: // the receiver has not yet handled the last change
	}
}

// start begins to watch. The caller holds mu.
func (m *watch) start() error {
	// os.Open will not do. Go's runtime would poll the open table, too, and only the first to
	// poll it learns of a change.
	table, err := unix.Open("/proc/self/mountinfo", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	stop, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		_ = unix.Close(table)
		return err
	}
	m.stop, m.ended = stop, make(chan struct{})
	go m.run(table, stop, m.ended)
	return nil
}

// run tells all channels of changes until somebody writes to stop.
func (m *watch) run(table, stop int, ended chan struct{}) {
	defer close(ended)
	defer func() { _ = unix.Close(table) }()
	poll := []unix.PollFd{{Fd: int32(table), Events: unix.POLLPRI}, {Fd: int32(stop), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(poll, -1)
		if err != nil && err != unix.EINTR {
			// There is no memory, or a filter refuses the call. So run assumes a change
			// each second instead.
			time.Sleep(time.Second)
			if n, _ := unix.Read(stop, make([]byte, 8)); n == 8 {
				return
			}
		}
		if poll[1].Revents != 0 {
			return
		}
		m.mu.Lock()
		for c := range m.told {
			notify(c)
		}
		m.mu.Unlock()
	}
}

// forget is Forget for this watch.
func (m *watch) forget(c chan<- struct{}) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if !m.told[c] {
		return
	}
	delete(m.told, c)
	if len(m.told) > 0 {
		return
	}
	one := binary.NativeEndian.AppendUint64(nil, 1)
	_, _ = unix.Write(m.stop, one) // an eventfd of our own takes it
	stop, ended := m.stop, m.ended
	m.mu.Unlock() // the goroutine may want it; a tell that arrives now starts another goroutine
	<-ended
	_ = unix.Close(stop)
	m.mu.Lock()
}
