package load

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"runtime/debug"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// slicesMax is the number of parts into which the measured time is divided.
	slicesMax = 20
	sliceMin  = 50 * time.Millisecond
	// drainMax is how long the last replies may take.
	drainMax = 10 * time.Second
)

// Prepare makes the files that a job needs, as Run does before its time begins. ctx
// ends it early, with ctx's error.
func (s *Session) Prepare(ctx context.Context, j Job) error {
	if err := j.settle(s); err != nil {
		return err
	}
	return s.prepare(ctx, j, func(done float64) { j.Progress(Progress{Stage: "prepare", Done: done}) })
}

// Run measures. It blocks until the job's time is over and the last replies have arrived; ctx ends
// it early, with ctx's error.
func (s *Session) Run(ctx context.Context, j Job) (*Result, error) {
	if err := j.settle(s); err != nil {
		return nil, err
	}
	if err := s.Prepare(ctx, j); err != nil {
		return nil, err
	}
	g := s.stage(j)
	defer s.part(ctx)
	r, err := s.newRun(ctx, j, g)
	if err != nil {
		return nil, err
	}
	defer r.close()
	// A garbage collection in the middle would be measured, too, and there is nothing to
	// collect: runs allocate at their beginning.
	defer debug.SetGCPercent(debug.SetGCPercent(400))
	res, err := r.measure(ctx)
	if err != nil {
		return nil, err
	}
	if j.Verify {
		if err := s.verifyWritten(ctx, j, g); err != nil {
			return nil, err
		}
		res.Verified = true
	}
	return res, nil
}

func (s *Session) stage(j Job) *stage {
	s.runs++
	g := &stage{
		version: s.opts.Version, workload: j.Workload, verify: j.Verify, stable: j.Stable, dir: s.dir,
		scratch: fmt.Sprintf("made-%d", s.runs), data: s.data, names: s.names, list: s.list, pages: s.pages,
		payload: make([]byte, j.Workload.Size), series: &s.series,
	}
	fill(g.payload, 1, 0)
	if j.Verify && (j.Workload.Kind == "write" || j.Workload.Kind == "mixed") {
		for _, f := range g.data {
			f.written = make([]atomic.Bool, f.size/int64(j.Workload.Size))
		}
	}
	return g
}

// verifyWritten reads back what a run has written. Afterwards it makes the data files anew for the
// next run, because they no longer hold one pattern.
func (s *Session) verifyWritten(ctx context.Context, j Job, g *stage) error {
	if j.Workload.Kind != "write" && j.Workload.Kind != "mixed" {
		return nil
	}
	defer s.c.until(ctx)()
	size := int64(j.Workload.Size)
	b := make([]byte, size)
	for i, f := range g.data {
		for block := range f.written {
			off := int64(block) * size
			if err := s.read(f, off, b); err != nil {
				return err
			}
			seed := f.seed
			if f.written[block].Load() {
				seed++
			}
			if err := check(b, seed, off); err != nil {
				return fmt.Errorf("after the run, %s: %w", f.name, err)
			}
			j.Progress(
				Progress{
					Stage: "verify",
					Done:  (float64(i) + float64(block)/float64(len(f.written))) / float64(len(g.data)),
				},
			)
		}
	}
	return s.dropData()
}

// run is one measurement under way.
type run struct {
	job     Job
	version Version
	phase   atomic.Int32
	begin   time.Time
	fds     []int
	threads []*thread
	failed  chan struct{} // one for each thread that has failed
	ended   chan error    // one from each thread
}

func (s *Session) newRun(ctx context.Context, j Job, g *stage) (_ *run, err error) {
	r := &run{
		job: j, version: s.opts.Version,
		begin:  time.Now(),
		failed: make(chan struct{}, j.Threads),
		ended:  make(chan error, j.Threads),
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := raiseDescriptors(j.Conns); err != nil {
		return nil, err
	}
	addr, err := resolve(ctx, s.addr)
	if err != nil {
		return nil, err
	}
	used := used3
	if s.opts.Version.Major == 4 {
		used = used4
		if err := s.gather(ctx, &j, g); err != nil {
			return nil, err
		}
	}
	shares := make([][]*conn, j.Threads)
	for i := range j.Conns {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		fd, err := s.connect(ctx, addr)
		if err != nil {
			return nil, fmt.Errorf("connection %d of %d: %w", i+1, j.Conns, err)
		}
		r.fds = append(r.fds, fd)
		c := newConn(fd, i, j.Depth, r.begin, s.opts.Version, s.cred,
			j.Workload.keeps(s.opts.Version, j.Verify), j.Workload.discards())
		s.admit(c, &j)
		for k := range c.slots {
			c.slots[k].task = g.newTask(c, k)
			c.slots[k].xid |= s.firstXID()
		}
		c.place = len(shares[i%j.Threads])
		shares[i%j.Threads] = append(shares[i%j.Threads], c)
	}
	for _, share := range shares {
		t, err := newThread(share, &r.phase, r.begin, j.Rate*float64(len(share))/float64(j.Conns), used)
		if err != nil {
			return nil, err
		}
		r.threads = append(r.threads, t)
	}
	return r, nil
}

// firstXID is where the transaction ids of a run begin. Servers remember replies by them, and could
// take a call for one that an earlier run, of this process or another, has made.
func (s *Session) firstXID() uint32 { return (uint32(os.Getpid())*0x9e37 + uint32(s.runs)<<12) << 16 }

func (r *run) close() {
	for _, t := range r.threads {
		t.close()
	}
	for _, fd := range r.fds {
		_ = unix.Close(fd) // replies that are still to come are not wanted
	}
}

// sample is the state of all counters at one time.
type sample struct {
	at         time.Time
	ops, bytes uint64
	server     usage
}

func (r *run) sample() (sample, error) {
	var x sample
	for _, t := range r.threads {
		t.mu.Lock()
		x.ops += t.ops
		x.bytes += t.bytes
		t.mu.Unlock()
	}
	x.at = time.Now()
	var err error
	x.server, err = usageOf(r.job.ServerPIDs)
	return x, err
}

// measure starts the threads, goes through the phases and ends the threads.
func (r *run) measure(ctx context.Context) (*Result, error) {
	for _, t := range r.threads {
		go func() { r.runThread(t) }()
	}
	samples, err := r.phases(ctx)
	if errors.Is(err, errThread) {
		err = nil
	}
	r.phase.Store(stopping)
	late := time.NewTimer(drainMax)
	defer late.Stop()
	for range r.threads {
		select {
		case e := <-r.ended:
			err = errors.Join(err, e)
		case <-late.C:
			// The thread's calls will not be answered. Shutting its connections down
			// ends it.
			for _, fd := range r.fds {
				_ = unix.Shutdown(fd, unix.SHUT_RDWR) // the peer may have ended it
			}
			err = errors.Join(err, fmt.Errorf("the last replies did not come within %v", drainMax), <-r.ended)
			late.Reset(0)
		}
	}
	if err != nil {
		return nil, err
	}
	return r.result(samples), nil
}

// errThread says that a thread has failed. The thread tells why when it ends.
var errThread = errors.New("a thread has failed")

// runThread is the goroutine of one thread.
func (r *run) runThread(t *thread) {
	err := t.run()
	if err != nil {
		r.failed <- struct{}{}
	}
	r.ended <- err
}

// phases lets the time pass and samples the counters at the ends of the slices.
func (r *run) phases(ctx context.Context) ([]sample, error) {
	var samples []sample
	j := &r.job
	end := j.Warmup + j.Time
	start := time.Now()
	last := sample{at: start}
	report := func(stage string) error {
		now, err := r.sample()
		if err != nil {
			return err
		}
		gone := now.at.Sub(start)
		dt := now.at.Sub(last.at).Seconds()
		j.Progress(Progress{
			Stage: stage, Done: min(1, gone.Seconds()/end.Seconds()), Left: max(0, end-gone),
			Ops: float64(now.ops-last.ops) / dt, Bytes: float64(now.bytes-last.bytes) / dt,
		})
		last = now
		return nil
	}
	wait := func(until time.Time, stage string) error {
		for {
			left := time.Until(until)
			if left <= 0 {
				return nil
			}
			t := time.NewTimer(min(left, 200*time.Millisecond))
			select {
			case <-t.C:
			case <-r.failed:
				t.Stop()
				return errThread
			case <-ctx.Done():
				t.Stop()
				return ctx.Err()
			}
			if time.Since(last.at) > 150*time.Millisecond {
				if err := report(stage); err != nil {
					return err
				}
			}
		}
	}
	if err := wait(start.Add(j.Warmup), "warm up"); err != nil {
		return nil, err
	}
	first, err := r.sample()
	if err != nil {
		return nil, err
	}
	r.phase.Store(measuring)
	samples = append(samples, first)
	parts := max(1, min(slicesMax, int(j.Time/sliceMin)))
	for i := range parts {
		end := first.at.Add(j.Time * time.Duration(i+1) / time.Duration(parts))
		// A sample that came late leaves slices behind it that are too short to say
		// anything; they are joined to their neighbours.
		short, last := j.Time/time.Duration(4*parts), i+1 == parts
		if !last && time.Until(end) < short {
			continue
		}
		if err := wait(end, "measure"); err != nil {
			return nil, err
		}
		x, err := r.sample()
		if err != nil {
			return nil, err
		}
		if n := len(samples); last && n > 1 && x.at.Sub(samples[n-1].at) < short {
			samples = samples[:n-1]
		}
		samples = append(samples, x)
	}
	return samples, nil
}

func (r *run) result(samples []sample) *Result {
	j := &r.job
	first, last := samples[0], samples[len(samples)-1]
	res := &Result{
		Workload: j.Workload.String(),
		Conns:    j.Conns,
		Depth:    j.Depth,
		Threads:  j.Threads,
		Rate:     j.Rate,
		Stable:   j.Stable,
		Seconds:  last.at.Sub(first.at).Seconds(),
		Ops:      last.ops - first.ops,
		Bytes:    last.bytes - first.bytes,
	}
	if r.version.Major == 4 {
		res.Version, res.Sessions = r.version.String(), j.Sessions
	}
	res.OpsPerSecond = float64(res.Ops) / res.Seconds
	res.BytesPerSecond = float64(res.Bytes) / res.Seconds
	for i := range samples[1:] {
		a, b := samples[i], samples[i+1]
		res.Slices = append(res.Slices, Slice{
			Seconds: b.at.Sub(
				a.at,
			).Seconds(), Ops: b.ops - a.ops, Bytes: b.bytes - a.bytes, Server: b.server.total - a.server.total,
		})
	}
	if len(j.ServerPIDs) > 0 {
		cpu := cpuBetween(first.server, last.server)
		cpu.per(res.Ops, res.Bytes)
		res.Server = &cpu
	}
	all := newHistogram()
	byProc := make(map[string]Latency)
	for proc := range callsMax {
		one := newHistogram()
		for _, t := range r.threads {
			if h := t.latency[proc]; h != nil {
				one.Merge(h)
			}
		}
		if one.TotalCount() > 0 {
			byProc[r.version.callName(uint32(proc))] = summary(one)
			all.Merge(one)
		}
	}
	res.Latency, res.Curve = summary(all), curve(all)
	if len(byProc) > 1 {
		res.ByProc = byProc
	}
	for _, t := range r.threads {
		res.Unsent += t.unsent
		res.Client.Seconds += t.cpu.total
		res.Client.User += t.cpu.user
		res.Client.System += t.cpu.system
	}
	res.Client.per(res.Ops, res.Bytes)
	return res
}

// raiseDescriptors makes room for n connections.
func raiseDescriptors(n int) error {
	var lim unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf("getrlimit: %w", err)
	}
	want := uint64(n) + 256
	if lim.Cur >= want {
		return nil
	}
	lim.Cur, lim.Max = want, max(lim.Max, want)
	if err := unix.Setrlimit(unix.RLIMIT_NOFILE, &lim); err != nil {
		return fmt.Errorf(
			"%d connections need more descriptors than this process may have (ulimit -n): %w",
			n,
			err,
		)
	}
	return nil
}

func resolve(ctx context.Context, addr string) (unix.Sockaddr, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		return nil, err
	}
	ips, err := net.DefaultResolver.LookupIP(ctx, "ip", host)
	if err != nil {
		return nil, err
	}
	// Try IPv4 first, as the control connection most likely did.
	slices.SortStableFunc(ips, func(a, b net.IP) int { return len(b.To4()) - len(a.To4()) })
	if ip := ips[0].To4(); ip != nil {
		return &unix.SockaddrInet4{Port: n, Addr: [4]byte(ip)}, nil
	}
	return &unix.SockaddrInet6{Port: n, Addr: [16]byte(ips[0].To16())}, nil
}
