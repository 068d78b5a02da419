package rpctest

import (
	"errors"
	"fmt"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// ErrWait says that the procedure must be run on a worker.
var ErrWait = errors.New("the procedure wants to wait")

// Serve runs the message msg through s on the given place, with as much memory for the reply as the
// call asks for. It first resets c, except Peer, Origin, Local and Datagram, and leaves the call in
// it; nil means a new Call. The reply is nil when the call was dropped. The error is Parse's, or
// ErrWait.
func Serve(s *rpc.Server, place *rpc.Place, c *rpc.Call, msg []byte) (reply []byte, err error) {
	if c == nil {
		c = new(rpc.Call)
	}
	peer, origin, local, datagram := c.Peer, c.Origin, c.Local, c.Datagram
	c.Reset()
	c.Peer, c.Origin, c.Local, c.Datagram = peer, origin, local, datagram
	if err := s.Parse(c, msg, nil); err != nil {
		return nil, err
	}
	c.Place = place
	for size := rpc.ReplyMemoryMin; ; {
		c.Reply.Reset(make([]byte, size))
		switch o := s.RunSettled(c); o {
		case rpc.Done:
			if c.Reply.Len() == 0 {
				return nil, nil
			}
			return c.Reply.Bytes(), nil
		case rpc.Grow:
			if c.Need <= size {
				return nil, fmt.Errorf("the call wants to grow from %d to %d bytes", size, c.Need)
			}
			size = c.Need
		default:
			return nil, ErrWait
		}
	}
}
