package futex

import (
	"runtime"
	"time"
)

// Rescheduler takes a goroutine that is locked to its thread through Go's scheduler from time to
// time, when the goroutine is about to wait. The zero value is ready; it is for one goroutine.
//
// Go's monitor thread takes a processor away from a goroutine that is in a system call and has not
// been scheduled for 10 ms, and then looks every 20 us whether there is more to take. Goroutines
// that are locked to threads and wait in the kernel are never scheduled, so that thread never came
// to rest: it woke once for each change of a name (design record 0055).
type Rescheduler struct{ last time.Time }

// rescheduleEvery is how often a goroutine that waits often is scheduled, less than the 10 ms.
const rescheduleEvery = 4 * time.Millisecond

// gosched is what Before calls. Tests set it.
var gosched = runtime.Gosched

// Before is called when the goroutine is about to wait in the kernel, with the present time. It
// blocks for as long as other goroutines have precedence, and otherwise for two thread switches, but
// not more often than every few milliseconds.
func (r *Rescheduler) Before(now time.Time) {
	if now.Sub(r.last) >= rescheduleEvery {
		r.last = now
		gosched()
	}
}
