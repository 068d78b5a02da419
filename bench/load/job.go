package load

import (
	"errors"
	"fmt"
	"runtime"
	"time"
)

// Job is one measurement. The zero value of a field is its default.
type Job struct {
	Workload Workload
	Conns    int // connections; default 4
	Depth    int // calls under way on each of them; default 16
	Threads  int // threads of the client; default half of the processors
	// Rate is how many calls are made a second, on all connections together. With 0 each call
	// is made as soon as the previous one has been answered.
	Rate   float64
	Warmup time.Duration // default a fifth of Time, at most a second
	Time   time.Duration // default 5 s
	// Stable is the stability that WRITE asks for: 0 UNSTABLE, 1 DATA_SYNC, 2
	// FILE_SYNC (RFC 1813, section 3.3.7).
	Stable uint32
	// Sessions is the number of sessions of version 4.1 and later, or of clients of version 4.0. The
	// connections are divided among them. 0 is one for each connection.
	Sessions int
	// Verify compares the data of every READ, and reads back what WRITEs have written.
	Verify bool
	// ServerPIDs are the processes of the server whose CPU time is measured. If there are none,
	// it is not measured.
	ServerPIDs []int
	// Progress, if set, is called from Run's goroutine some times a second.
	Progress func(Progress)
}

// Progress is how far a run is.
type Progress struct {
	Stage   string // "prepare", "warm up", "measure" or "verify"
	Done    float64
	Left    time.Duration // of warm-up and measurement
	Ops     float64       // calls a second at the moment
	Bytes   float64       // bytes a second at the moment
	Latency time.Duration // 0 before the end, when it is known
}

const (
	connsMax = 10000
	depthMax = 4096
)

// settle fills in the defaults and checks the job.
func (j *Job) settle(s *Session) error {
	if j.Conns == 0 {
		j.Conns = 4
	}
	if j.Depth == 0 {
		j.Depth = 16
	}
	if j.Threads == 0 {
		j.Threads = max(1, runtime.NumCPU()/2)
	}
	j.Threads = min(j.Threads, j.Conns)
	if j.Time == 0 {
		j.Time = 5 * time.Second
	}
	if j.Warmup == 0 {
		j.Warmup = min(time.Second, j.Time/5)
	}
	if j.Progress == nil {
		j.Progress = func(Progress) {}
	}
	if err := s.opts.Version.Has(j.Workload); err != nil {
		return err
	}
	if j.Sessions == 0 || j.Sessions > j.Conns {
		j.Sessions = j.Conns
	}
	switch w := j.Workload; {
	case j.Sessions < 0:
		return errors.New("the number of sessions is not negative")
	case j.Conns < 1 || j.Conns > connsMax || j.Depth < 1 || j.Depth > depthMax:
		return fmt.Errorf("%d connections with %d calls each: 1 to %d and 1 to %d are possible", j.Conns, j.Depth, connsMax, depthMax)
	case j.Threads < 1:
		return errors.New("at least one thread is needed")
	case j.Rate < 0 || j.Time < 0 || j.Warmup < 0:
		return errors.New("rates and times are not negative")
	case (w.Kind == "read" || w.Kind == "mixed" || w.Kind == "tree") && w.Size > s.ReadMax:
		return fmt.Errorf("the server reads at most %d bytes at once", s.ReadMax)
	case (w.Kind == "write" || w.Kind == "mixed" || w.Kind == "tree") && w.Size > s.WriteMax:
		return fmt.Errorf("the server writes at most %d bytes at once", s.WriteMax)
	case w.Kind == "mixed" && w.Size >= 2*discardLeast:
		return fmt.Errorf("the mixed workload is for sizes below %d bytes", 2*discardLeast)
	}
	return nil
}
