package mounts

import (
	"encoding/binary"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// watch tells every FS of the process when something is mounted or unmounted
// anywhere in the process's mount namespace. It is one goroutine, which sleeps in
// poll(2): /proc/self/mountinfo has POLLPRI when the table has changed since the poll
// before.
type watch struct {
	mu    sync.Mutex
	told  map[chan<- struct{}]bool // who wants to know
	stop  int                      // eventfd that ends the goroutine
	ended chan struct{}            // closed when it has
}

// process is the process's, as the mount table is.
var process watch

// Tell fills c, which has room for one, after each change of the mount table until Forget,
// and once now, for what may have changed before.
func Tell(c chan<- struct{}) error { return process.tell(c) }

// Forget ends what Tell has begun, if it has. When c was the last, nothing of the watch is
// left when Forget returns.
func Forget(c chan<- struct{}) { process.forget(c) }

// tell fills c, which has room for one, after each change until forget, and once now,
// for what may have changed before.
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
	default: // the last change has not been looked at yet
	}
}

// start begins to watch. mu is held.
func (m *watch) start() error {
	// Not by os.Open: Go's runtime would poll it, too, and whoever polls an open mount
	// table first is the only one that hears of a change.
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

// run tells of changes until stop is written to.
func (m *watch) run(table, stop int, ended chan struct{}) {
	defer close(ended)
	defer func() { _ = unix.Close(table) }()
	poll := []unix.PollFd{{Fd: int32(table), Events: unix.POLLPRI}, {Fd: int32(stop), Events: unix.POLLIN}}
	for {
		_, err := unix.Poll(poll, -1)
		if err != nil && err != unix.EINTR {
			// No memory, or a filter refuses the call: it looks each second instead.
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

// forget ends what tell has begun, if it has. When c was the last, nothing of the watch
// is left when it returns.
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
	_, _ = unix.Write(m.stop, one) // an eventfd of ours takes it
	stop, ended := m.stop, m.ended
	m.mu.Unlock() // the goroutine may want it; who comes now starts another one
	<-ended
	_ = unix.Close(stop)
	m.mu.Lock()
}
