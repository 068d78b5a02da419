// Package job is what the measuring program and its guest tell each other: a [Job] goes in, [Line]s
// come out.
package job

// Where things are in the guest.
const (
	// Memory is how many bytes of memory the guest has. Behind it lie PayloadMax bytes of which its
	// kernel does not know: the input, a tar of files below /.
	Memory     = 1536 << 20
	PayloadMax = 128 << 20
	// Guest is the program that the guest runs when it has unpacked its input, and Input the Job
	// that the program reads.
	Guest = "/run/guest"
	Input = "/run/job.json"
	// Export is the directory that servers serve.
	Export = "/srv/x"
	// Listed is a directory below Export with ListedEntries files, which is there before the
	// server is.
	Listed        = "listed"
	ListedEntries = 100
	// OutPort is the port of the guest's output, a byte at a time, and PausePort the one that
	// stops the machine when Pause is written to it (QEMU's devices isa-debugcon and pvpanic).
	OutPort   = 0xe9
	PausePort = 0x505
	Pause     = 1
)

// Job is what one machine measures: a server on a file system, under some loads in turn.
type Job struct {
	Server  string   `json:"server"`
	FS      string   `json:"fs"`
	Flags   []string `json:"flags,omitempty"` // of the server
	Version string   `json:"nfs"`             // of NFS: 3, 4.2
	Loads   []Load   `json:"loads"`
	// Unknown has READDIRPLUS read a directory that was there before the server was, and not one
	// whose entries the server has made.
	Unknown bool  `json:"unknown,omitempty"`
	Phase   int64 `json:"phase,omitempty"`   // when loads begin within a tick of the guest, in ns
	Symbols bool  `json:"symbols,omitempty"` // tell the kernel's symbols, and nothing else
}

// Load is a number of calls that are measured, on Conns connections with Depth calls under way on
// each.
type Load struct {
	Workload string `json:"workload"` // as bench/load spells it
	Conns    int    `json:"conns"`
	Depth    int    `json:"depth"`
	Warm     int    `json:"warm"` // calls before those that count
	Calls    int    `json:"calls"`
}

// Line is what the guest says: one JSON object a line, of which one field is set.
type Line struct {
	Ready   string  `json:"ready,omitempty"` // the release of the kernel: the machine has booted
	Window  *Window `json:"window,omitempty"`
	Failed  string  `json:"failed,omitempty"`
	Done    bool    `json:"done,omitempty"`
	Symbols []byte  `json:"symbols,omitempty"` // /proc/kallsyms, compressed by gzip
}

// Window is what happened between the first call of a load and its last reply. Times are in
// nanoseconds of the guest's clock, which are instructions.
type Window struct {
	Load
	Elapsed int64 `json:"elapsed"`
	Client  int64 `json:"client"` // run time of the client's process
	// Others is the run time of all other processes by their names.
	Others   map[string]int64 `json:"others"`
	Switches int64            `json:"switches"` // of threads, in the whole guest
}

// Server is the run time of all processes but the client's: what the load has cost its server,
// wherever the kernel did the work.
func (w *Window) Server() int64 {
	var sum int64
	for _, n := range w.Others {
		sum += n
	}
	return sum
}

// Servers by name.
const (
	Ringnfs = "ringnfs"
	Knfsd   = "knfsd"
	Ganesha = "ganesha"
	GoNFS   = "go-nfs"
	Floor   = "floor"
)
