package nfs

import "github.com/ringnfs/ringnfs/nfs/transport"

// LaneStats is what a lane has done since the start, and what its zero-copy sends hold now.
type LaneStats = transport.Stats

// Stats returns the figures of each lane, or nil before Serve has started them. Any goroutine may
// call it at any time, also when the server has ended. It does not block, and costs the lanes
// nothing.
func (s *Server) Stats() []LaneStats {
	select {
	case <-s.started:
		return s.transport.Stats()
	default:
		return nil
	}
}
