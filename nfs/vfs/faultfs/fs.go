package faultfs

import (
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// FS is a file system with faults. It implements vfs.FS.
type FS struct {
	in vfs.FS // immutable

	// atomic
	lost     atomic.Uint64 // mixed into the verifier: changes when data is lost
	counts   [NumOp]atomic.Int64
	failView atomic.Pointer[error]

	mu     sync.Mutex // guards all below
	rules  []*Fault
	chance *rand.Rand
	record bool
	calls  []Call
}

// Call is the record of one call.
type Call struct {
	Op      Op
	Name    string // of the entry, a Rename's source, Walk's path
	Cred    *vfs.Cred
	MayWait bool       // whether the thread of the call may wait
	Status  vfs.Status // what it returned
}

// Wrap returns a file system that behaves like in until rules are added. It owns in and closes it.
func Wrap(in vfs.FS, seed uint64) *FS {
	return &FS{in: in, chance: rand.New(rand.NewPCG(seed, 0))}
}

// Add puts a rule into force, behind the rules that are in force already.
func (f *FS) Add(r Rule) *Fault {
	x := &Fault{f: f, r: r}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, x)
	return x
}

// Clear ends all rules.
func (f *FS) Clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

// FailViews makes every attempt to make a View fail with err. With nil attempts succeed again.
func (f *FS) FailViews(err error) {
	if err == nil {
		f.failView.Store(nil)
		return
	}
	f.failView.Store(&err)
}

// LoseData changes the write verifier, as a crash that lost unstable data does.
func (f *FS) LoseData() { f.lost.Add(0x9e3779b97f4a7c15) }

// Count returns how many calls of an operation have been made, with those that a rule made fail.
func (f *FS) Count(op Op) int { return int(f.counts[op].Load()) }

// Record starts to keep a record of every call, and forgets the earlier record.
func (f *FS) Record() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.record, f.calls = true, nil
}

// Calls returns the record, in the order in which the calls returned.
func (f *FS) Calls() []Call {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.calls)
}

// Identity implements vfs.FS.
func (f *FS) Identity() vfs.Identity { return f.in.Identity() }

// Root implements vfs.FS.
func (f *FS) Root() vfs.Handle { return f.in.Root() }

// Limits implements vfs.FS.
func (f *FS) Limits() vfs.Limits { return f.in.Limits() }

// Verifier implements vfs.FS.
func (f *FS) Verifier() uint64 { return f.in.Verifier() ^ f.lost.Load() }

// View implements vfs.FS.
func (f *FS) View(th *vfs.Thread) (vfs.View, error) {
	if err := f.failView.Load(); err != nil {
		return nil, *err
	}
	in, err := f.in.View(th)
	if err != nil {
		return nil, err
	}
	v := &view{f: f, in: in, th: th, mayWait: th.MayWait}
	v.payer.v = v
	v.able = abilities(v, in.Abilities())
	return v, nil
}

// Close implements vfs.FS.
func (f *FS) Close() error { return f.in.Close() }

// view is an FS seen from one thread.
type view struct {
	f       *FS
	in      vfs.View
	th      *vfs.Thread
	mayWait bool
	payer   payer
	able    vfs.Abilities
}

func (v *view) Close() { v.in.Close() }

// payer pays what changes owe, behind what the wrapped View owes, if it owes anything.
type payer struct{ v *view }

// Pay implements vfs.Payer.
func (p *payer) Pay() vfs.Status {
	x := p.v.begin(Pay, nil, "")
	return p.v.run(&x, func() vfs.Status { return vfs.OK }, nil)
}

// Abilities returns those of the wrapped View, each with faults.
func (v *view) Abilities() *vfs.Abilities { return &v.able }

// abilities wraps the abilities that in has.
func abilities(v *view, in *vfs.Abilities) (able vfs.Abilities) {
	if in.Splice != nil {
		able.Splice = &splicer{v, in.Splice}
	}
	if in.ACLs != nil {
		able.ACLs = &acls{v, in.ACLs}
	}
	if in.Hold != nil {
		able.Hold = &holder{in.Hold}
	}
	if in.Locks != nil {
		able.Locks = &locker{v, in.Locks}
	}
	if in.Ranges != nil {
		able.Ranges = &ranges{v, in.Ranges}
	}
	if in.Copy != nil {
		able.Copy = &copier{v, in.Copy}
	}
	if in.Xattrs != nil {
		able.Xattrs = &xattrs{v, in.Xattrs}
	}
	return able
}

// call is one call under way.
type call struct {
	op   Op
	name string
	c    *vfs.Cred
	rule Rule // the rule that applies to the call; the zero value if none does
}

// begin counts the call, finds the rule for it, and waits at the rule's gate.
func (v *view) begin(op Op, c *vfs.Cred, name string) call {
	f := v.f
	f.counts[op].Add(1)
	x := call{op: op, name: name, c: c}
	f.mu.Lock()
	for _, r := range f.rules {
		if r.applies(op, name, v.mayWait) {
			x.rule = r.r
			break
		}
	}
	f.mu.Unlock()
	if g := x.rule.Gate; g != nil && !g.IsOpen() {
		if !v.mayWait && op != Walk {
			x.rule = Rule{Status: vfs.Again}
		} else {
			g.pass()
		}
	}
	return x
}

// run does the call. do is the wrapped operation. fill fills in the results as far as the interface
// promises them for failures; it may be nil.
func (v *view) run(x *call, do func() vfs.Status, fill func()) vfs.Status {
	s := x.rule.Status
	switch {
	case s == vfs.OK:
		s = do()
	case s == vfs.Again:
		// Touch no result.
	case x.rule.AfterDone:
		if got := do(); got == vfs.Again {
			s = got // not done: the call comes again on a worker
		}
	case fill != nil && s != vfs.Stale && s != vfs.BadHandle:
		fill()
	}
	if s == vfs.OK && ops[x.op].owes {
		_ = v.th.Debts.Owe(&v.payer)
	}
	if ops[x.op].flushes && x.rule.Status != vfs.OK && (s == vfs.IO || s == vfs.NoSpc || s == vfs.DQuot) {
		v.f.LoseData()
	}
	v.f.mu.Lock()
	if v.f.record {
		v.f.calls = append(v.f.calls, Call{Op: x.op, Name: x.name, Cred: x.c, MayWait: v.mayWait, Status: s})
	}
	v.f.mu.Unlock()
	return s
}

// attr fills in a for a call that fails.
func (v *view) attr(h vfs.Handle, a *vfs.Attr) {
	if v.in.GetAttr(h, a) != vfs.OK {
		a.Mask = 0
	}
}

// wcc fills in w for a call that fails.
func (v *view) wcc(h vfs.Handle, w *vfs.WCC) {
	*w = vfs.WCC{}
	if v.in.GetAttr(h, &w.After) == vfs.OK {
		w.SetBefore(&w.After)
	}
}
