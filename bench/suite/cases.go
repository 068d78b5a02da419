package suite

import (
	"slices"

	"github.com/ringnfs/ringnfs/bench/load"
	"github.com/ringnfs/ringnfs/bench/peers"
	"github.com/ringnfs/ringnfs/bench/report"
)

// The file systems that the servers' directories are on.
const (
	onDisk   = "disk"
	onMemory = "tmpfs"
)

// Variant is a server that takes part: a kind with flags.
type Variant struct {
	Name  string
	Kind  *peers.Kind
	Flags []string
	// Version is the version of NFS that it is measured by; the zero value is version 3.
	Version load.Version
	// needs is a flag of `ringnfs serve`. If that has no such flag, the variant does not take
	// part.
	needs string
}

// variants are all that take part in some case. The goals are about the first one.
var variants = []Variant{
	{Name: "ringnfs", Kind: peers.Ringnfs},
	{Name: "floor", Kind: peers.Floor},
	// This is the floor without the pacing that the system's congestion control may do.
	{Name: "floor-reno", Kind: peers.Floor, Flags: []string{"reno"}},
	{Name: "ganesha", Kind: peers.Ganesha},
	{Name: "go-nfs", Kind: peers.GoNFS},
	// The same by NFS version 4.2.
	{Name: "ringnfs-4.2", Kind: peers.Ringnfs, Flags: []string{"--versions", "3,4.2"}, Version: version42},
	{Name: "ganesha-4.2", Kind: peers.Ganesha, Flags: []string{"4"}, Version: version42},
	{Name: "ringnfs-1", Kind: peers.Ringnfs, Flags: []string{"--lanes", "1"}},
	{Name: "ringnfs-2", Kind: peers.Ringnfs, Flags: []string{"--lanes", "2"}},
	{Name: "ringnfs-copy", Kind: peers.Ringnfs, Flags: []string{"--read-path", "copy"}},
	{Name: "ringnfs-splice", Kind: peers.Ringnfs, Flags: []string{"--read-path", "splice"}},
	{Name: "ringnfs-zc", Kind: peers.Ringnfs, Flags: []string{"--read-path", "zc"}},
	{Name: "ringnfs-worker", Kind: peers.Ringnfs, Flags: []string{"--write-path", "worker"}},
	{Name: "ringnfs-spin", Kind: peers.Ringnfs, Flags: []string{"--spin", "50us"}, needs: "--spin"},
}

var version42 = load.Version{Major: 4, Minor: 2}

// both are the servers that are measured by version 3 and by version 4.2, side by side.
var both = []string{"ringnfs", "ringnfs-4.2", "ganesha", "ganesha-4.2"}

// by42 are goals of version 4.2 beside version 3 and beside nfs-ganesha: bounds of CPU time. 0 is
// none.
func by42(m report.Metric, version3, ganesha float64) (goals []Goal) {
	if version3 > 0 {
		goals = append(goals, Goal{Metric: m, Of: "ringnfs-4.2", Against: "ringnfs", Ratio: version3})
	}
	if ganesha > 0 {
		goals = append(goals, Goal{Metric: m, Of: "ringnfs-4.2", Against: "ganesha-4.2", Ratio: ganesha})
	}
	return goals
}

var everybody = []string{"ringnfs", "floor", "ganesha", "go-nfs"}

// Case is one load.
type Case struct {
	Workload     string
	Conns, Depth int
	FS           string
	Apart        bool // server and client have a processor each
	Servers      []string
	Goals        []Goal
}

// Goal is a bound on the ratio of two servers' medians.
type Goal struct {
	Metric  report.Metric
	Of      string // the server that must reach it
	Against string
	Least   bool // the ratio is a lower bound
	Ratio   float64
}

func atMost(m report.Metric, against string, ratio float64) Goal {
	return Goal{Metric: m, Of: "ringnfs", Against: against, Ratio: ratio}
}

func atLeast(m report.Metric, against string, ratio float64) Goal {
	return Goal{Metric: m, Of: "ringnfs", Against: against, Ratio: ratio, Least: true}
}

// Cases returns all cases.
func Cases() []Case {
	var list []Case
	add := func(workload string, conns, depth int, fs string, servers []string, goals ...Goal) {
		list = append(list, Case{Workload: workload, Conns: conns, Depth: depth, FS: fs, Servers: servers, Goals: goals})
	}
	for _, w := range []string{"null", "getattr", "lookup", "access"} {
		add(w, 4, 16, onDisk, everybody,
			atMost(report.CPUPerOp, "floor", 1.4), atLeast(report.OpsPerSecond, "floor", 0.9),
			atMost(report.CPUPerOp, "ganesha", 1.0/15), atLeast(report.OpsPerSecond, "ganesha", 10))
	}
	small := []Goal{atMost(report.CPUPerOp, "floor", 1.3), atMost(report.CPUPerOp, "ganesha", 1.0/7)}
	add("read-4k-rand", 1, 16, onDisk, everybody, small...)
	add("read-4k-rand", 8, 8, onDisk, everybody, append(small[:2:2], atLeast(report.OpsPerSecond, "ganesha", 5))...)
	for _, x := range [][2]int{{1, 8}, {4, 4}} {
		add("read-1m-seq", x[0], x[1], onDisk, append(slices.Clone(everybody), "floor-reno"),
			atMost(report.CPUPerGiB, "floor", 1.1), atLeast(report.GiBPerSecond, "floor", 1),
			atMost(report.CPUPerGiB, "floor-reno", 1.1), atLeast(report.GiBPerSecond, "floor-reno", 1),
			atMost(report.CPUPerGiB, "ganesha", 0.6), atLeast(report.GiBPerSecond, "ganesha", 1))
	}
	add("read-64k-rand", 4, 4, onDisk, everybody)
	for _, fs := range []string{onDisk, onMemory} {
		add("write-1m-seq", 4, 4, fs, everybody,
			atMost(report.CPUPerGiB, "floor", 1.15), atMost(report.CPUPerGiB, "ganesha", 0.6), atLeast(report.GiBPerSecond, "ganesha", 1))
	}
	add("write-4k-rand", 4, 16, onDisk, everybody, atMost(report.CPUPerOp, "floor", 1.3), atMost(report.CPUPerOp, "ganesha", 0.3))
	add("mixed", 4, 8, onDisk, everybody)
	// The cost of a call when nobody else wants the lane's processor.
	apart := func(workload string, conns, depth int, ratio float64) {
		add(workload, conns, depth, onDisk, []string{"ringnfs-1", "floor"},
			Goal{Metric: report.CPUPerOp, Of: "ringnfs-1", Against: "floor", Ratio: ratio})
		list[len(list)-1].Apart = true
	}
	for _, w := range []string{"null", "getattr", "lookup", "access"} {
		apart(w, 4, 16, 1.4)
	}
	apart("read-4k-rand", 1, 16, 1.3)
	apart("read-4k-rand", 8, 8, 1.3)
	real := []string{"ringnfs", "ganesha", "go-nfs"} // the floor serves no real files
	add("readdirplus", 4, 4, onDisk, real)
	add("create", 4, 4, onDisk, real)
	add("tree", 4, 4, onDisk, real)

	// Version 4.2: what it costs beside version 3, and what opens and locks cost.
	add("getattr", 4, 16, onDisk, both, by42(report.CPUPerOp, 1.2, 0)...)
	add("read-4k-rand", 8, 8, onDisk, both, by42(report.CPUPerOp, 1.15, 0.2)...)
	add("write-4k-rand", 4, 16, onDisk, both, by42(report.CPUPerOp, 1.15, 0)...)
	for _, w := range []string{"read-1m-seq", "write-1m-seq"} {
		add(w, 4, 4, onDisk, both, by42(report.CPUPerGiB, 1.15, 0)...)
	}
	for _, w := range []string{"lookup", "access"} {
		add(w, 4, 16, onDisk, both)
	}
	opens := []string{"ringnfs-4.2", "ganesha-4.2"}
	for _, w := range []string{"open", "lock"} {
		add(w, 4, 16, onDisk, opens, by42(report.CPUPerOp, 0, 0.2)...)
	}
	for _, w := range []string{"readdirplus", "create", "tree"} {
		add(w, 4, 4, onDisk, both)
	}
	// One client with one session, 8 and 64 of them.
	for _, w := range []string{"getattr", "read-4k-rand"} {
		for _, conns := range []int{1, 8, 64} {
			add(w, conns, 4, onDisk, []string{"ringnfs", "ringnfs-4.2"}, by42(report.CPUPerOp, 1.2, 0)...)
		}
	}

	// Latency of single calls.
	for _, w := range []string{"null", "getattr", "read-4k-rand"} {
		add(w, 1, 1, onDisk, []string{"ringnfs", "floor", "ganesha", "go-nfs", "ringnfs-spin"})
	}
	// Two lanes against one. If client and server share two processors, a second lane can only
	// use what the client leaves; with READDIRPLUS it leaves most.
	for _, w := range []string{"getattr", "lookup", "read-4k-rand", "readdirplus"} {
		add(w, 8, 8, onDisk, []string{"ringnfs-1", "ringnfs-2"},
			Goal{Metric: report.OpsPerSecond, Of: "ringnfs-2", Against: "ringnfs-1", Least: true, Ratio: 1.7})
	}
	// nconnect: the same number of calls on 1, 8 and 16 connections.
	for _, w := range []string{"read-4k-rand", "read-1m-seq"} {
		for _, x := range nconnect {
			add(w, x[0], x[1], onDisk, nconnectServers)
		}
	}
	// WRITEs by the workers, which is not the default.
	worker := []string{"ringnfs-worker", "floor"}
	add("write-1m-seq", 4, 4, onDisk, worker)
	add("write-4k-rand", 4, 16, onDisk, worker)
	// The ways in which the data of a READ can leave, each one forced.
	for _, w := range []string{"read-64k-rand", "read-1m-seq"} {
		add(w, 4, 4, onDisk, []string{"ringnfs-copy", "ringnfs-splice", "ringnfs-zc", "floor", "floor-reno"})
	}
	return list
}

// nconnect are numbers of connections and depths whose product is the same.
var nconnect = [][2]int{{1, 16}, {8, 2}, {16, 1}}

// nconnectServers are ringnfs with all its lanes, of which one connection uses one, and ringnfs
// with one lane.
var nconnectServers = []string{"ringnfs", "ringnfs-1"}

// nconnectLeast is the least ratio of the others to the best of them.
const nconnectLeast = 0.95
