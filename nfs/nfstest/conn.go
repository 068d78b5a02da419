package nfstest

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
)

// patience is how long a test waits for something that must come.
const patience = 30 * time.Second

// recordMax is the largest reply in bytes.
const recordMax = 16 << 20

// ErrNoReply says that the connection ended before the reply came.
var ErrNoReply = errors.New("the connection ended without a reply")

// xids gives transaction ids that occur once in a process.
var xids atomic.Uint32

// Conn is one connection.
type Conn struct {
	t    testing.TB // immutable
	nc   net.Conn   // immutable
	done chan struct{}

	writing sync.Mutex // held while a record is written

	mu      sync.Mutex // guards all below
	waiting map[uint32]chan []byte
	ended   bool
	closing bool // the test ends the connection itself
}

// Dial connects to addr, which is host:port, and makes calls as user and group 0. The end of the
// test closes the connection.
func Dial(t testing.TB, addr string) *Client {
	t.Helper()
	c, err := TryDial(t, "", addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// DialFrom is Dial with an address of this machine to call from.
func DialFrom(t testing.TB, local, addr string) *Client {
	t.Helper()
	c, err := TryDial(t, local, addr)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// TryDial is DialFrom for a server that may not be there. local may be empty.
func TryDial(t testing.TB, local, addr string) (*Client, error) {
	if local != "" {
		local = net.JoinHostPort(local, "0")
	}
	return tryDial(t, local, addr)
}

// tryDial is TryDial with a local port.
func tryDial(t testing.TB, local, addr string) (*Client, error) {
	d := net.Dialer{Timeout: patience}
	if local != "" {
		from, err := net.ResolveTCPAddr("tcp", local)
		if err != nil {
			return nil, err
		}
		d.LocalAddr = from
	}
	nc, err := d.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	cn := &Conn{t: t, nc: nc, done: make(chan struct{}), waiting: make(map[uint32]chan []byte)}
	go cn.runReader()
	t.Cleanup(cn.Close)
	return &Client{Conn: cn, cred: rpctest.Sys(0, 0)}, nil
}

// Close ends the connection and waits for its reader. Calls under way get no reply. It may be
// called again.
func (cn *Conn) Close() {
	cn.mu.Lock()
	cn.closing = true
	cn.mu.Unlock()
	_ = cn.nc.Close() // the second call finds it closed already
	<-cn.done
}

// Reset is Close with a TCP reset, as from a machine that has crashed.
func (cn *Conn) Reset() {
	if err := cn.nc.(*net.TCPConn).SetLinger(0); err != nil {
		cn.t.Error(err)
	}
	cn.Close()
}

// Done is closed when the connection has ended, from whichever side.
func (cn *Conn) Done() <-chan struct{} { return cn.done }

// Send writes bytes unchanged.
func (cn *Conn) Send(b []byte) error {
	cn.writing.Lock()
	defer cn.writing.Unlock()
	if err := cn.nc.SetWriteDeadline(time.Now().Add(patience)); err != nil {
		return err
	}
	_, err := cn.nc.Write(b)
	return err
}

// expect announces that a reply to xid will come.
func (cn *Conn) expect(xid uint32) <-chan []byte {
	cn.mu.Lock()
	defer cn.mu.Unlock()
	ch := make(chan []byte, 1)
	if cn.ended {
		close(ch)
		return ch
	}
	if cn.waiting[xid] != nil {
		cn.t.Errorf("XID %d is under way already", xid)
	}
	cn.waiting[xid] = ch
	return ch
}

func (cn *Conn) runReader() {
	defer close(cn.done)
	err := cn.read()
	_ = cn.nc.Close() // a server that drains waits for its clients to close
	cn.mu.Lock()
	defer cn.mu.Unlock()
	cn.ended = true
	for _, ch := range cn.waiting {
		close(ch)
	}
	clear(cn.waiting)
	if !cn.closing && !errors.Is(err, io.EOF) {
		cn.t.Logf("connection %v: %v", cn.nc.LocalAddr(), err)
	}
}

// read hands out replies until the connection ends, and returns why it ended.
func (cn *Conn) read() error {
	r := bufio.NewReaderSize(cn.nc, 64<<10)
	for {
		record, err := client.ReadRecord(r, nil, recordMax)
		if err != nil {
			return err
		}
		if len(record) < 4 {
			cn.t.Errorf("a record of %d bytes", len(record))
			continue
		}
		xid := binary.BigEndian.Uint32(record)
		cn.mu.Lock()
		ch := cn.waiting[xid]
		delete(cn.waiting, xid)
		cn.mu.Unlock()
		if ch == nil {
			cn.t.Errorf("a reply to XID %d, which is not under way", xid)
			continue
		}
		ch <- record
	}
}

func isInUse(err error) bool {
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, syscall.EADDRNOTAVAIL)
}
