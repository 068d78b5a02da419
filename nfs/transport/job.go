package transport

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// job is a piece of work for a worker: all that the workers' queue, brief.go and the
// patrol know of a call. A lane fills the first fields and gives the job to
// workQueue.put; from then on the job belongs to the queue, then to the worker that has
// taken it, and with Run it is the lane's again. Whoever has the job has the call.
type job struct {
	task task // immutable

	// Set by the lane before put.
	// house is whose turn it takes: see workQueue.
	house netip.Addr
	lane  int // the index of the lane that it goes back to
	// volume is what it may wait for (rpc.Program.Volume); reads says that it changes
	// nothing there.
	volume int
	reads  bool
	brief  bool // it hardly ever sleeps: see brief.go
	size   int  // bytes of its arguments, if it is brief

	// The queue's.
	share int // in which it stands in line, then the one that its worker is counted in
	since uint32
	epoch uint32
	next  *job
}

// task is what is behind a job.
type task interface {
	// work does it on a worker's thread, which is place. It may sleep.
	work(place *rpc.Place)
	// back goes on with it on its lane's thread.
	back()
	// home returns the loop of its lane. It may be called from any goroutine.
	home() *loop.Loop
	// lost gives it up, because that loop is over. It may be called from any goroutine.
	lost()
}

type jobList = fifo[job, *job]

// link implements linked.
func (j *job) link() **job { return &j.next }

// Run implements loop.Task: it is the return of a chain of jobs to their lane.
func (j *job) Run() {
	for j != nil {
		next := j.next
		j.next = nil
		j.task.back()
		j = next
	}
}

// giveBack returns a chain of jobs to their lanes, those of one lane together. It does
// not block.
func giveBack(j *job) {
	for j != nil {
		last := j
		for last.next != nil && last.next.lane == j.lane {
			last = last.next
		}
		head := j
		j, last.next = last.next, nil
		// The lane runs as long as it has calls, unless it has failed.
		if head.task.home().Post(head) != nil {
			for ; head != nil; head = head.next {
				head.task.lost()
			}
		}
	}
}
