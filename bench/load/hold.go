package load

import (
	"context"
	"fmt"
	"net"
)

// Hold opens n connections, makes one NULL on each, and leaves them idle until
// release is called. ctx ends the opening early.
func (s *Session) Hold(ctx context.Context, n int) (release func(), err error) {
	var held []*control
	release = func() {
		for _, c := range held {
			_ = c.Close() // nothing was under way on it
		}
	}
	if err := raiseDescriptors(n); err != nil {
		return nil, err
	}
	for i := range n {
		c, err := s.dialPlain(ctx)
		if err == nil {
			held = append(held, c)
			if tcp, ok := c.conn.NetConn().(*net.TCPConn); ok { // closing frees its port at once
				_ = tcp.SetLinger(0) // otherwise a minute later
			}
			err = c.null()
		}
		if err != nil {
			release()
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, n, err)
		}
	}
	return release, nil
}
