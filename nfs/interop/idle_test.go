//go:build interop

package interop

import (
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// idleConnections is how many peers connect and say nothing.
const idleConnections = 10_000

// TestIdleConnections tests that thousands of silent peers cost little memory and do not hinder
// another peer, and that the server forgets them when they have gone.
func TestIdleConnections(t *testing.T) {
	t.Parallel()
	needRoot(t)
	need(t, "nfs-cp")
	var limit syscall.Rlimit
	require.NoError(t, syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit))
	if want := uint64(2 * idleConnections); limit.Max < want {
		limit.Max = want // root may
	}
	limit.Cur = limit.Max
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Skipf("%d connections need as many descriptors: %v", idleConnections, err)
	}
	s := serve(t, nil, anyPort...)
	before, memory := descriptors(t, s.pid), resident(t, s.pid)

	var peers []net.Conn
	closeAll := func() {
		for _, c := range peers {
			_ = c.Close()
		}
		peers = nil
	}
	defer closeAll()
	for i := range idleConnections {
		// No address may have more than its share of all connections.
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(1+i%10))}}
		c, err := from.Dial("tcp", "127.0.0.1:"+s.port)
		require.NoError(t, err, "connection %d", i)
		peers = append(peers, c)
		if i%2 == 0 { // half of them have made a call, the others have sent nothing
			null(t, c, uint32(i))
		}
	}
	eventually(t, "all connections are accepted", func() bool { return descriptors(t, s.pid) >= before+idleConnections })
	each := (resident(t, s.pid) - memory) / idleConnections
	t.Logf("%d bytes of resident memory per idle connection", each)
	assert.Less(t, each, int64(32<<10), "bytes per idle connection")

	from := filepath.Join(t.TempDir(), "f")
	randomFile(t, from, 8<<20)
	url := fmt.Sprintf("nfs://127.0.0.1%s/f?nfsport=%s&mountport=%s&version=3", s.dir, s.port, s.mount)
	command(t, "nfs-cp", from, url)
	command(t, "nfs-cp", url, from+".back")
	assert.Equal(t, sum(t, from), sum(t, from+".back"))
	for _, i := range []int{0, 1, idleConnections / 2, idleConnections - 1} {
		null(t, peers[i], 7) // they are still there
	}
	closeAll()
	eventually(t, "closed connections are forgotten", func() bool { return descriptors(t, s.pid) <= before+100 })
}

// null makes a call of procedure 0 and reads its answer (RFC 5531, section 9).
func null(t *testing.T, c net.Conn, xid uint32) {
	t.Helper()
	var call [44]byte
	for i, word := range []uint32{0x80000000 | 40, xid, 0, 2, 100003, 3, 0, 0, 0, 0, 0} {
		binary.BigEndian.PutUint32(call[4*i:], word)
	}
	require.NoError(t, c.SetDeadline(time.Now().Add(time.Minute)))
	_, err := c.Write(call[:])
	require.NoError(t, err)
	var reply [28]byte
	_, err = io.ReadFull(c, reply[:])
	require.NoError(t, err)
	require.Equal(t, xid, binary.BigEndian.Uint32(reply[4:]))
}

func descriptors(t *testing.T, pid int) int {
	t.Helper()
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	require.NoError(t, err)
	return len(entries)
}

var rss = regexp.MustCompile(`VmRSS:\s+(\d+) kB`)

// resident returns the memory of a process in bytes.
func resident(t *testing.T, pid int) int64 {
	t.Helper()
	data, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	require.NoError(t, err)
	m := rss.FindSubmatch(data)
	require.NotNil(t, m)
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	require.NoError(t, err)
	return n << 10
}

// eventually waits up to a minute, which a very busy machine may need.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for range 600 {
		if is() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("not so within a minute: %s", what)
}
