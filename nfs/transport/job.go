package transport

import (
	"net/netip"

	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/uring/loop"
)

// job is a piece of work for a worker: all that the workers' queue, brief.go and the patrol know of
// a call. A lane fills in the first fields and passes the job to workQueue.put. From then on the
// job belongs to the queue, then to the worker that takes it, and from Run on to the lane again.
// The owner of the job owns the call.
type job struct {
	task task // immutable

	// The lane sets these before put.
	//
	// house is the household whose turn the job takes: see workQueue.
	house netip.Addr
	lane  int // the index of the lane that the job goes back to
	// volume is the volume that the job may wait for, and object what it changes (rpc.Target);
	// reads says that the job changes nothing there.
	volume int
	object uint64
	reads  bool
	brief  bool // the job hardly ever sleeps: see brief.go
	size   int  // bytes of arguments, if the job is brief

	// The queue's.
	share int // the share that it waits in, then the share that its worker counts in
	since uint32
	epoch uint32
	batch *batch     // of its object, of a token and of the first job that gather returns
	calls *peerCalls // of a token: the calls that it stands for
	next  *job
}

// task is the work behind a job.
type task interface {
	// work does the task on a worker's thread, which is place. It may sleep. If it reports true,
	// settle must follow on that thread.
	work(place *rpc.Place) (owes bool)
	// settle puts on stable storage what the task owes. It waits for the disc. Tasks that have been
	// worked on one after the other share that: the first settle is for all of them.
	settle()
	// answer sends the reply from here, if the worker has been lent the output for that, and reports
	// whether it has sent all of it. It does not block.
	answer() (all bool)
	// back continues the task on its lane's thread.
	back()
	// home returns the loop of the task's lane. Any goroutine may call it.
	home() *loop.Loop
	// lost gives the task up, because its lane's loop is over. Any goroutine may call it.
	lost()
}

type jobList = fifo[job, *job]

// link implements linked.
func (j *job) link() **job { return &j.next }

// Run implements loop.Task: it returns a chain of jobs to their lane, on the lane's thread.
func (j *job) Run() {
	for j != nil {
		next := j.next
		j.next = nil
		j.task.back()
		j = next
	}
}

// giveBack returns a chain of jobs to their lanes, those of one lane together, after it has sent the
// replies that may be sent from here. A lane is not woken if all its jobs are answered, and nothing
// there waits for them. giveBack does not block.
func giveBack(j *job) {
	for chain := (jobList{head: j}); chain.head != nil; {
		var same, others jobList
		lane, answered := chain.head.lane, true
		for x := chain.pop(); x != nil; x = chain.pop() {
			if x.lane != lane {
				others.push(x)
				continue
			}
			same.push(x)
			answered = x.task.answer() && answered
		}
		// The lane runs as long as it has calls, unless it has failed.
		home := same.head.task.home()
		post := home.Post
		if answered {
			post = home.Leave
		}
		if post(same.head) != nil {
			for x := same.head; x != nil; x = x.next {
				x.task.lost()
			}
		}
		chain = others
	}
}
