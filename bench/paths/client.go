package main

import (
	"errors"
	"fmt"
	"runtime"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// client is one connection with a thread of its own while it is under load.
type client struct {
	fd     int
	write  bool
	size   int
	depth  int
	source int    // memory file with blocks to send
	small  []byte // a call or a header
	lowat  int    // SO_RCVLOWAT; with 0 every segment wakes the reader
	turn   int64
}

// blocks is how many blocks a client sends in turn, so that the data of a WRITE is not always in
// the server's own cache.
const blocks = 16

func connect(port int, l *load, source int) (*client, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	c := &client{fd: fd, write: l.Write, size: l.Size, depth: l.depth(), source: source, small: make([]byte, small)}
	if l.wholeReplies {
		c.lowat = min(small+l.Size, 512<<10)
	}
	return c, errors.Join(
		unpace(fd),
		unix.Connect(fd, &unix.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}),
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1))
}

// run keeps depth calls under way until stop, waits for the last answer, and returns how many calls
// it made.
func (c *client) run(stop *atomic.Bool) (calls int, err error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if c.write {
		return c.runWrites(stop)
	}
	reply := small + c.size
	outstanding := 0 // bytes that are still to come
	woken := 0
	batch := make([]byte, c.depth*small)
	for {
		if room := c.depth - (outstanding+reply-1)/reply; room > 0 && !stop.Load() {
			if err := send(c.fd, batch[:room*small], 0); err != nil {
				return calls, err
			}
			outstanding += room * reply
			calls += room
		}
		if outstanding == 0 {
			return calls, nil
		}
		// Fewer bytes than the mark would never wake the reader.
		want := 1
		if c.lowat > 0 && outstanding >= c.lowat {
			want = c.lowat
		}
		if c.lowat > 0 && want != woken {
			woken = want
			if err := unix.SetsockoptInt(c.fd, unix.SOL_SOCKET, unix.SO_RCVLOWAT, want); err != nil {
				return calls, err
			}
		}
		n, err := discard(c.fd, outstanding)
		if err != nil {
			return calls, err
		}
		outstanding -= n
	}
}

func (c *client) runWrites(stop *atomic.Bool) (calls int, err error) {
	flying, got := 0, 0
	at := new(int64)
	for {
		for flying < c.depth && !stop.Load() {
			if err := send(c.fd, c.small, unix.MSG_MORE); err != nil {
				return calls, err
			}
			*at = c.turn % blocks * int64(c.size)
			c.turn++
			if err := sendfile(c.fd, c.source, at, c.size); err != nil {
				return calls, err
			}
			flying++
			calls++
		}
		if flying == 0 {
			return calls, nil
		}
		n, err := discard(c.fd, flying*small-got)
		if err != nil {
			return calls, err
		}
		got += n
		flying -= got / small
		got %= small
	}
}

// loadFor applies load for a time. It returns the calls answered and the time until the last
// answer.
func loadFor(cs []*client, d time.Duration) (calls int, took time.Duration, err error) {
	var stop atomic.Bool
	type result struct {
		calls int
		err   error
	}
	done := make(chan result, len(cs))
	start := time.Now()
	for _, c := range cs {
		go func() {
			n, err := c.run(&stop)
			done <- result{n, err}
		}()
	}
	time.Sleep(d)
	stop.Store(true)
	for range cs {
		r := <-done
		calls += r.calls
		err = errors.Join(err, r.err)
	}
	if err != nil {
		return 0, 0, fmt.Errorf("client: %w", err)
	}
	return calls, time.Since(start), nil
}

// memoryFile makes the file that the clients send from.
func memoryFile(size int) (int, error) {
	fd, err := unix.MemfdCreate("paths", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, err
	}
	return fd, fill(fd, int64(size))
}

// fill writes size bytes that are not all alike.
func fill(fd int, size int64) error {
	b := make([]byte, 1<<20)
	x := uint64(88172645463325252)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	for at := int64(0); at < size; at += int64(len(b)) {
		if _, err := unix.Pwrite(fd, b[:min(int64(len(b)), size-at)], at); err != nil {
			return err
		}
	}
	return nil
}
