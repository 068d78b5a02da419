package nfs

import "github.com/ringnfs/ringnfs/nfs/transport"

// Sent returns how replies have left, lane by lane, once the server serves.
func (s *Server) Sent() []transport.Stats {
	<-s.started
	return s.transport.Stats()
}
