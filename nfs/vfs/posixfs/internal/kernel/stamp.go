package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// CtimeGrain is how long an object's ctime may stay the same over two changes if the kernel takes
// the ctime from the timer tick: a few ticks at 100 Hz.
const CtimeGrain = 50 * time.Millisecond

// CtimeAge returns how long ago, by the wall clock, the object last changed.
func CtimeAge(st *unix.Statx_t, now time.Time) time.Duration {
	return now.Sub(time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec)))
}
