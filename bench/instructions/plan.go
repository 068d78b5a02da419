package main

import (
	"fmt"
	"regexp"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// chain is loads that belong together: they have a machine, and each works on what the one before
// it has made. REMOVE takes names that have not been renamed, as long as there are some.
type chain struct {
	version string // of NFS
	short   bool   // it is part of the short form
	loads   []job.Load
	unknown bool // as in job.Job
}

// phases are the moments within a tick of the guest (4 ms) at which loads begin, in nanoseconds.
// Who of several threads comes first depends on the moment, and how many calls a thread finds when
// it comes. That changes what names cost by some 10 % where threads hand them over, and what small
// calls cost by up to 4 %. So ringnfs is measured at all of these moments where calls come together
// and on ext4, which says how far they reach; all else is measured at the first. A check looks at all
// of them in every load, as its record does.
var phases = []int64{0, 1_500_000, 2_300_000}

// of returns a load of conns connections with depth calls under way on each.
func of(workload string, conns, depth, warm, calls int) job.Load {
	return job.Load{Workload: workload, Conns: conns, Depth: depth, Warm: warm, Calls: calls}
}

func one(workload string, conns, depth, warm, calls int) []job.Load {
	return []job.Load{of(workload, conns, depth, warm, calls)}
}

var chains = []chain{
	{"3", true, one("null", 4, 16, 800, 4000), false},
	{"3", true, one("getattr", 4, 16, 800, 4000), false},
	{"3", true, one("lookup", 4, 16, 800, 4000), false},
	{"3", false, one("access", 4, 16, 800, 4000), false},
	{"3", true, one("read-4k-rand", 8, 8, 600, 3000), false},
	{"3", false, one("read-64k-rand", 4, 4, 200, 800), false},
	{"3", true, one("read-1m-rand", 4, 4, 32, 96), false},
	{"3", true, one("write-4k-rand", 4, 8, 800, 2400), false},
	{"3", false, one("write-64k-rand", 4, 4, 200, 600), false},
	{"3", false, one("write-1m-rand", 4, 4, 32, 64), false},
	{"3", false, one("readdirplus", 4, 4, 80, 300), false},
	{"3", false, one("readdirplus", 4, 4, 80, 300), true},
	{"3", true, []job.Load{of("make", 4, 16, 200, 1000), of("rename", 4, 16, 50, 350),
		of("remove", 4, 16, 100, 700)}, false},
	{"3", false, one("setattr", 4, 16, 200, 1000), false},
	{"3", false, []job.Load{of("mkdir", 4, 16, 100, 500), of("rmdir", 4, 16, 100, 500)}, false},
	{"3", false, one("tree-4k", 4, 16, 3264, 6528), false},
	{"3", false, one("null", 1, 1, 200, 1000), false},
	{"3", false, one("getattr", 1, 1, 200, 1000), false},
	{"3", false, one("lookup", 1, 1, 200, 1000), false},
	{"3", false, one("read-4k-rand", 1, 1, 200, 1000), false},
	{"3", false, one("write-4k-rand", 1, 1, 200, 1000), false},
	{"3", false, []job.Load{of("make", 1, 1, 30, 400), of("rename", 1, 1, 20, 150),
		of("remove", 1, 1, 20, 240)}, false},
	{"4.2", false, one("getattr", 4, 16, 800, 4000), false},
	{"4.2", false, one("lookup", 4, 16, 800, 4000), false},
	{"4.2", false, one("read-4k-rand", 8, 8, 600, 3000), false},
	{"4.2", false, one("write-4k-rand", 4, 8, 800, 2400), false},
	{"4.2", false, one("open", 4, 16, 800, 2000), false},
	{"4.2", false, one("lock", 4, 16, 800, 2000), false},
	{"4.2", false, []job.Load{of("make", 4, 16, 200, 1000), of("remove", 4, 16, 100, 500)}, false},
	{"4.2", false, one("setattr", 4, 16, 200, 1000), false},
	{"4.2", false, one("tree-4k", 4, 16, 4608, 9216), false},
}

// task is a chain of loads against a server on a file system, in one machine for each phase.
type task struct {
	server, fs string
	chain      *chain
	phases     []int64
}

// plan returns the tasks for servers and file systems. match chooses among the loads by their names.
// always is whether ringnfs is measured at every moment in each load.
func plan(servers, systems []string, short, always bool, match *regexp.Regexp) []task {
	var list []task
	for _, fs := range systems {
		for i := range chains {
			c := &chains[i]
			if short && !c.short || !c.wanted(match) {
				continue
			}
			for _, server := range servers {
				if c.version == "3" || server != job.Floor && server != job.GoNFS {
					moments := phases[:1]
					if server == job.Ringnfs && (always || fs == "ext4" && c.together()) {
						moments = phases
					}
					list = append(list, task{server, fs, c, moments})
				}
			}
		}
	}
	return list
}

// together reports whether calls of the chain's loads come together, so that the moment counts.
func (c *chain) together() bool { return c.loads[0].Conns*c.loads[0].Depth > 1 }

func (c *chain) wanted(match *regexp.Regexp) bool {
	for i := range c.loads {
		if match.MatchString(c.name(&c.loads[i])) {
			return true
		}
	}
	return false
}

// spoken are the names of workloads in reports.
var spoken = map[string]string{
	"make": "create", "read-4k-rand": "read 4 KiB", "read-64k-rand": "read 64 KiB",
	"read-1m-rand":  "read 1 MiB",
	"write-4k-rand": "write 4 KiB", "write-64k-rand": "write 64 KiB", "write-1m-rand": "write 1 MiB",
	"readdirplus": "readdirplus, 100 entries", "tree-4k": "small files (tree)",
}

// name is the name of one of the chain's loads.
func (c *chain) name(l *job.Load) string {
	if c.unknown {
		return "of unknown entries: " + loadName(c.version, l)
	}
	return loadName(c.version, l)
}

// loadName is the name of a load in reports: create 4x16, v4.2 lookup 4x16.
func loadName(version string, l *job.Load) string {
	name := l.Workload
	if s, ok := spoken[name]; ok {
		name = s
	}
	if version != "3" {
		name = "v" + version + " " + name
	}
	return fmt.Sprintf("%s %dx%d", name, l.Conns, l.Depth)
}
