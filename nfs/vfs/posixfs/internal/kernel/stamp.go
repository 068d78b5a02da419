package kernel

import (
	"time"

	"golang.org/x/sys/unix"
)

// CtimeGrain is how long an object's ctime may stay the same over two changes where the
// kernel takes it from the timer tick: a few ticks at 100 Hz.
const CtimeGrain = 50 * time.Millisecond

// CtimeAge returns for how long, by the wall clock, the object has been as it is.
func CtimeAge(st *unix.Statx_t, now time.Time) time.Duration {
	return now.Sub(time.Unix(st.Ctime.Sec, int64(st.Ctime.Nsec)))
}
