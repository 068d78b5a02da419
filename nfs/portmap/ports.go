package portmap

import "github.com/ringnfs/ringnfs/nfs/rpc"

// refusePort is SET and UNSET of version 2, which always refuse: nothing is registered from
// outside.
func (s *server) refusePort(c *rpc.Call) rpc.Outcome {
	var args Pmap
	if args.Decode(&c.Args); c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	c.Reply.Bool(false)
	return rpc.Done
}

// getPort is GETPORT of version 2. It returns a port over IPv4; if there is none, a caller over
// IPv6 gets one over IPv6. 0 means none.
func (s *server) getPort(c *rpc.Call) rpc.Outcome {
	var args Pmap
	if args.Decode(&c.Args); c.Args.Err() != nil {
		return rpc.GarbageArgs
	}
	m, ok := s.findPort(&args, "inet")
	if !ok && local(c).Is6() {
		m, _ = s.findPort(&args, "inet6")
	}
	c.Reply.Uint32(uint32(m.Port))
	return rpc.Done
}

func (s *server) findPort(args *Pmap, family string) (Mapping, bool) {
	for id, t := range transports {
		if t.family == family && t.protocol == args.Prot {
			return s.find(args.Prog, args.Vers, id, false)
		}
	}
	return Mapping{}, false
}

// dumpPorts is DUMP of version 2: the programs that are served over IPv4.
func (s *server) dumpPorts(c *rpc.Call) rpc.Outcome {
	if !c.Room(listMax) {
		return rpc.Grow
	}
	for _, m := range s.mappings {
		t := transports[m.Netid]
		if t.family != "inet" {
			continue
		}
		c.Reply.Bool(true)
		entry := Pmap{Prog: m.Prog, Vers: m.Vers, Prot: t.protocol, Port: uint32(m.Port)}
		entry.Encode(&c.Reply)
	}
	c.Reply.Bool(false)
	return rpc.Done
}
