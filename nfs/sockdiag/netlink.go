package sockdiag

import (
	"encoding/binary"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/uring/futex"
)

// netlink is one netlink socket, which carries one question at a time.
type netlink struct {
	mu  futex.Mutex
	fd  int           // -1 when closed; guarded by mu
	seq uint32        // guarded by mu
	out []byte        // guarded by mu
	in  [8 << 10]byte // guarded by mu
}

const headerLen = unix.NLMSG_HDRLEN

func (n *netlink) open(protocol int) (err error) {
	n.fd, err = unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, protocol)
	return err
}

func (n *netlink) close() error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.fd < 0 {
		return nil
	}
	fd := n.fd
	n.fd = -1
	return unix.Close(fd)
}

// ask sends a message of the given type, whose body fill appends, and passes the body of the answer
// to take. If the kernel answers with an error, ask returns that error.
func (n *netlink) ask(kind uint16, fill func([]byte) []byte, take func([]byte)) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.seq++
	b := append(n.out[:0], make([]byte, headerLen)...)
	b = fill(b)
	binary.NativeEndian.PutUint32(b[0:], uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], unix.NLM_F_REQUEST)
	binary.NativeEndian.PutUint32(b[8:], n.seq)
	n.out = b
	if err := again(func() error { return unix.Sendto(n.fd, b, 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}) }); err != nil {
		return fmt.Errorf("netlink: %w", err)
	}
	for {
		var got int
		err := again(func() (err error) {
			got, _, err = unix.Recvfrom(n.fd, n.in[:], 0)
			return err
		})
		if err != nil {
			return fmt.Errorf("netlink: %w", err)
		}
		m := n.in[:got]
		if len(m) < headerLen || binary.NativeEndian.Uint32(m[8:]) != n.seq {
			continue // the rest of an earlier answer
		}
		size := min(int(binary.NativeEndian.Uint32(m)), len(m))
		if size < headerLen {
			return fmt.Errorf("netlink: %w", unix.EBADMSG)
		}
		body := m[headerLen:size]
		if binary.NativeEndian.Uint16(m[4:]) == unix.NLMSG_ERROR {
			if len(body) < 4 {
				return fmt.Errorf("netlink: %w", unix.EBADMSG)
			}
			if e := -int32(binary.NativeEndian.Uint32(body)); e != 0 {
				return unix.Errno(e)
			}
			continue
		}
		take(body)
		return nil
	}
}

// again repeats a system call that a signal has interrupted.
func again(call func() error) error {
	for {
		if err := call(); err != unix.EINTR {
			return err
		}
	}
}
