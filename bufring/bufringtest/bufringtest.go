// Package bufringtest gives tests heap-backed receive buffers, and the assertion with which they
// end: nobody holds a buffer any more.
package bufringtest

import (
	"github.com/ringnfs/ringnfs/uring"
)

// Provider is a provided-buffer ring without a kernel. The test plays the kernel: Next takes the
// buffer that a receive would fill.
type Provider struct {
	queued []entry
	ready  []entry
}

type entry struct {
	mem []byte
	id  uring.BufferID
}

// Add implements bufring.Provider.
func (p *Provider) Add(mem []byte, id uring.BufferID) { p.queued = append(p.queued, entry{mem, id}) }

// Advance implements bufring.Provider.
func (p *Provider) Advance() {
	p.ready = append(p.ready, p.queued...)
	p.queued = p.queued[:0]
}

// Next takes the first published buffer, as a receive does. It reports false when there is none,
// where a receive would end with ENOBUFS.
func (p *Provider) Next() (mem []byte, id uring.BufferID, ok bool) {
	if len(p.ready) == 0 {
		return nil, 0, false
	}
	e := p.ready[0]
	p.ready = p.ready[1:]
	return e.mem, e.id, true
}

// Ready returns how many buffers the kernel could take.
func (p *Provider) Ready() int { return len(p.ready) }

// Outstander counts what is still held.
type Outstander interface{ Outstanding() int }

// Reporter is the part of testing.TB that NoneHeld needs. Property tests have it, too.
type Reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// NoneHeld fails the test when a buffer of one of the pools is still held.
func NoneHeld(t Reporter, pools ...Outstander) {
	t.Helper()
	for _, p := range pools {
		if n := p.Outstanding(); n != 0 {
			t.Errorf("%T: %d buffers are still held at the end", p, n)
		}
	}
}
