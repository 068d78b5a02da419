package rpc

import "fmt"

// Server is a set of programs and of flavors. It does no I/O and has no state per call. Once it
// serves, it is immutable, and all threads share it.
type Server struct {
	programs []*Program
	flavors  [flavorsMax]Flavor
	anybody  bool // all programs answer all callers alike

	// OnPanic is told of a panic in a procedure: its value and the stack. The call is answered
	// with SYSTEM_ERR. OnPanic is set before the first call, and called on the thread that ran
	// the procedure.
	OnPanic func(c *Call, value any, stack []byte)
	// OnFault is told of a procedure that broke its contract, with one of ErrOverflow,
	// ErrNoProgress, ErrOutcome. The call is answered with SYSTEM_ERR. OnFault is set and
	// called like OnPanic.
	OnFault func(c *Call, err error)
	// OnClaim is told of a call that is refused because its origin may not say what its
	// credential says; group is the group of ClaimGroup. The call is answered with
	// AUTH_TOOWEAK. OnClaim is set like OnPanic and called within Parse, so it must not block.
	OnClaim func(c *Call, claim Claim, group uint32)
}

// NewServer returns a Server of the given programs, which it looks up in this order, with the
// flavors None and Sys. It panics when a table is inconsistent: two programs of one number,
// versions with gaps, a named procedure without Handle.
func NewServer(programs ...*Program) *Server {
	s := &Server{programs: programs, anybody: true}
	for i, p := range programs {
		s.anybody = s.anybody && p.Anybody
		for _, q := range programs[:i] {
			if p.Number == q.Number {
				panic(fmt.Sprintf("rpc: program %d is given twice", p.Number))
			}
		}
		p.check()
	}
	s.Use(None{})
	s.Use(Sys{})
	return s
}

// Use adds a flavor, or replaces the flavor of the same number. It is called before the first call.
func (s *Server) Use(f Flavor) { s.flavors[f.Number()] = f }

// check panics when the table of a program is inconsistent.
func (p *Program) check() {
	if len(p.Versions) == 0 {
		panic(fmt.Sprintf("rpc: program %s has no version", p.Name))
	}
	for i := range p.Versions {
		v := &p.Versions[i]
		if v.Number != p.Versions[0].Number+uint32(i) {
			panic(fmt.Sprintf("rpc: program %s: version %d is out of order", p.Name, v.Number))
		}
		for j := range v.Procedures {
			if q := &v.Procedures[j]; (q.Name == "") != (q.Handle == nil) {
				panic(fmt.Sprintf("rpc: program %s version %d: procedure %d needs both a name and a handler",
					p.Name, v.Number, j))
			}
		}
	}
}

// find looks up the procedure that the call names, or says why there is none.
func (s *Server) find(c *Call) {
	for _, p := range s.programs {
		if p.Number != c.Prog {
			continue
		}
		i := c.Vers - p.Versions[0].Number // wraps around below the lowest version
		if uint64(i) >= uint64(len(p.Versions)) {
			c.accept(acceptProgMismatch)
			c.status.low = p.Versions[0].Number
			c.status.high = p.Versions[len(p.Versions)-1].Number
			return
		}
		procedures := p.Versions[i].Procedures
		if uint64(c.Proc) >= uint64(len(procedures)) || procedures[c.Proc].Handle == nil {
			c.accept(acceptProcUnavail)
			return
		}
		c.program, c.procedure = p, &procedures[c.Proc]
		return
	}
	c.accept(acceptProgUnavail)
}
