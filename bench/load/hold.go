package load

import "fmt"

// Hold opens n connections, makes one NULL on each, and leaves them idle until
// release is called.
func (s *Session) Hold(n int) (release func(), err error) {
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
		c, err := dialControl(s.addr, s.cred)
		if err == nil {
			held = append(held, c)
			err = c.call(progNFS, 3, procNull, nil, nil)
		}
		if err != nil {
			release()
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, n, err)
		}
	}
	return release, nil
}
