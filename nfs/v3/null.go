package v3

import (
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// null is NULL (RFC 1813, section 3.3.0): it answers, no more.
func (s *server) null(*rpc.Call) rpc.Outcome { return rpc.Done }
