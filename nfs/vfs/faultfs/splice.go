package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// splicer is the ability to splice, with faults.
type splicer struct {
	view *view
	in   vfs.Splicer
}

// Splice moves nothing when a rule makes it fail, also with AfterDone: with any status but OK the
// pipe must stay as it was.
func (p *splicer) Splice(
	c *vfs.Cred,
	h vfs.Handle,
	r *vfs.SpliceArgs,
	a *vfs.Attr,
) (moved int, eof bool, s vfs.Status) {
	v := p.view
	x := v.begin(Splice, c, "")
	x.rule.AfterDone = false
	if m := x.rule.Short; m > 0 && m < r.N {
		r = &vfs.SpliceArgs{Off: r.Off, N: m, To: r.To}
	}
	s = v.run(
		&x,
		func() vfs.Status { moved, eof, s = p.in.Splice(c, h, r, a); return s },
		func() { v.attr(h, a) },
	)
	if s != vfs.OK {
		moved, eof = 0, false
	}
	return moved, eof, s
}
