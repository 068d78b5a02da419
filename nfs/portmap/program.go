package portmap

import (
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

// server is what the procedures share.
type server struct {
	registry // immutable
	// calls counts calls by version, from 2 on, and by procedure. It is atomic.
	calls [RPCBVERS_STAT][RPCBSTAT_HIGHPROC]atomic.Int32
}

// New returns the program for the mappings of r, which it borrows. It panics if a mapping's
// transport is unknown, or if r exceeds its bounds.
func New(r *Registry) *rpc.Program {
	s := &server{registry: r.settle()}
	v4 := []rpc.Procedure{
		RPCBPROC_NULL:        {Name: "NULL", Handle: s.null},
		RPCBPROC_SET:         {Name: "SET", Handle: s.refuse},
		RPCBPROC_UNSET:       {Name: "UNSET", Handle: s.refuse},
		RPCBPROC_GETADDR:     {Name: "GETADDR", Handle: s.getAddr},
		RPCBPROC_DUMP:        {Name: "DUMP", Handle: s.dump},
		RPCBPROC_GETTIME:     {Name: "GETTIME", Handle: s.getTime},
		RPCBPROC_UADDR2TADDR: {Name: "UADDR2TADDR", Handle: s.toSockaddr},
		RPCBPROC_TADDR2UADDR: {Name: "TADDR2UADDR", Handle: s.toUniversal},
		RPCBPROC_GETVERSADDR: {Name: "GETVERSADDR", Handle: s.getVersAddr},
		RPCBPROC_GETADDRLIST: {Name: "GETADDRLIST", Handle: s.getAddrList},
		RPCBPROC_GETSTAT:     {Name: "GETSTAT", Handle: s.getStat},
	}
	return &rpc.Program{
		Name:   "portmap",
		Number: RPCBPROG,
		// The place where a program answers is no secret, and nobody changes it from
		// outside.
		Anybody: true,
		Versions: []rpc.Version{
			s.count(PMAP_VERS, []rpc.Procedure{
				PMAPPROC_NULL:    {Name: "NULL", Handle: s.null},
				PMAPPROC_SET:     {Name: "SET", Handle: s.refusePort},
				PMAPPROC_UNSET:   {Name: "UNSET", Handle: s.refusePort},
				PMAPPROC_GETPORT: {Name: "GETPORT", Handle: s.getPort},
				PMAPPROC_DUMP:    {Name: "DUMP", Handle: s.dumpPorts},
			}),
			s.count(RPCBVERS, v4[:RPCBPROC_GETVERSADDR]),
			s.count(RPCBVERS4, v4),
		},
	}
}

// count returns a version whose procedures are counted when they are called.
func (s *server) count(vers uint32, procedures []rpc.Procedure) rpc.Version {
	counted := make([]rpc.Procedure, len(procedures))
	copy(counted, procedures)
	for i := range counted {
		handle, calls := counted[i].Handle, &s.calls[vers-PMAP_VERS][i]
		if handle == nil {
			continue // a hole in the table
		}
		counted[i].Handle = func(c *rpc.Call) rpc.Outcome {
			o := handle(c)
			if o == rpc.Done {
				calls.Add(1)
			}
			return o
		}
	}
	return rpc.Version{Number: vers, Procedures: counted}
}

// null does nothing. A caller finds out by it whether the program is there.
func (s *server) null(*rpc.Call) rpc.Outcome { return rpc.Done }
