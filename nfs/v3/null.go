package v3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// null is NULL (RFC 1813, section 3.3.0). It answers and does nothing else.
func (s *server) null(*rpc.Call) rpc.Outcome { return rpc.Done }
