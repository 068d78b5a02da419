package nfs

import "github.com/ringnfs/ringnfs/nfs/transport"

// Sent returns how replies have left, lane by lane. The server must have begun to
// serve.
func (s *Server) Sent() []transport.Stats { return s.transport.Stats() }
