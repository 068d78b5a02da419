package portmap

import "github.com/ringnfs/ringnfs/nfs/rpc"

// refuse is SET and UNSET, which always refuse: nothing is registered from outside.
func (s *server) refuse(c *rpc.Call) rpc.Outcome {
	var args Rpcb
	if args.Decode(&c.Args); c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	c.Reply.Bool(false)
	return rpc.Done
}

// getAddr is GETADDR: the universal address of a program, empty if there is none. It may be the
// address of another version.
func (s *server) getAddr(c *rpc.Call) rpc.Outcome { return s.lookUp(c, false) }

// getVersAddr is GETVERSADDR: GETADDR for exactly that version.
func (s *server) getVersAddr(c *rpc.Call) rpc.Outcome { return s.lookUp(c, true) }

// lookUp answers for the transport that the call came in on, whatever the arguments say (RFC 1833,
// section 2.2.1). Only if there is nothing on that transport does it answer for the one that the
// arguments name.
func (s *server) lookUp(c *rpc.Call, exact bool) rpc.Outcome {
	var args Rpcb
	if args.Decode(&c.Args); c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	m, ok := s.find(args.RProg, args.RVers, netidOf(c), exact)
	if !ok {
		m, ok = s.find(args.RProg, args.RVers, Netid(args.RNetid), exact)
	}
	if !ok {
		c.Reply.String("")
		return rpc.Done
	}
	c.Reply.String(universal(c, m))
	return rpc.Done
}

// dump is DUMP: everything that is served.
func (s *server) dump(c *rpc.Call) rpc.Outcome {
	if !c.Room(listMax) {
		return rpc.Grow
	}
	for _, m := range s.mappings {
		c.Reply.Bool(true)
		c.Reply.Uint32(m.Prog)
		c.Reply.Uint32(m.Vers)
		c.Reply.String(string(m.Netid))
		c.Reply.String(universal(c, m))
		c.Reply.String(s.owner)
	}
	c.Reply.Bool(false)
	return rpc.Done
}

// getAddrList is GETADDRLIST: one version of a program on all transports of the
// address family that the caller uses.
func (s *server) getAddrList(c *rpc.Call) rpc.Outcome {
	var args Rpcb
	if args.Decode(&c.Args); c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	if !c.Room(listMax) {
		return rpc.Grow
	}
	family := transports[netidOf(c)].family
	for _, m := range s.mappings {
		t := transports[m.Netid]
		if m.Prog != args.RProg || m.Vers != args.RVers || t.family != family {
			continue
		}
		c.Reply.Bool(true)
		c.Reply.String(universal(c, m))
		c.Reply.String(string(m.Netid))
		c.Reply.Uint32(t.semantics)
		c.Reply.String(t.family)
		c.Reply.String(t.proto)
	}
	c.Reply.Bool(false)
	return rpc.Done
}

// getTime is GETTIME: seconds since 1970 UTC.
func (s *server) getTime(c *rpc.Call) rpc.Outcome {
	c.Reply.Uint32(uint32(s.now().Unix()))
	return rpc.Done
}

// toSockaddr is UADDR2TADDR: an address in this machine's socket layout, empty if the universal
// address is none.
func (s *server) toSockaddr(c *rpc.Call) rpc.Outcome {
	var args RpcbString
	if args.Decode(&c.Args); c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	var res Netbuf
	if a, ok := parseUniversal(string(args)); ok {
		res.Buf = sockaddr(a)
		res.Maxlen = uint32(len(res.Buf))
	}
	res.Encode(&c.Reply)
	return rpc.Done
}

// toUniversal is TADDR2UADDR, the opposite.
func (s *server) toUniversal(c *rpc.Call) rpc.Outcome {
	var args Netbuf
	if args.Decode(&c.Args); c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	a, ok := parseSockaddr(args.Buf)
	if !ok {
		c.Reply.String("")
		return rpc.Done
	}
	c.Reply.String(formatUniversal(a))
	return rpc.Done
}

// getStat is GETSTAT: how often the procedures of each version were called. The program keeps no
// other statistics.
func (s *server) getStat(c *rpc.Call) rpc.Outcome {
	var res RpcbStatByvers
	for v := range res {
		for p := range res[v].Info {
			res[v].Info[p] = s.calls[v][p].Load()
		}
	}
	res.Encode(&c.Reply)
	return rpc.Done
}
