package main

import (
	"regexp"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// plan returns the jobs whose loads match an expression: one machine each.
func plan(only string) ([]job.Job, error) {
	match, err := regexp.Compile(only)
	if err != nil {
		return nil, err
	}
	var list []job.Job
	for _, loads := range chains {
		wanted := false
		for _, l := range loads {
			wanted = wanted || match.MatchString(name(l))
		}
		if wanted {
			list = append(list, job.Job{Version: "3", Loads: loads})
		}
	}
	return list, nil
}

// chains are loads that belong together: each chain has a machine, each load works on what the one
// before it has made.
var chains = [][]job.Load{
	{of("null", 4, 16, 800, 4000)},
	{of("getattr", 4, 16, 800, 4000)},
	{of("lookup", 4, 16, 800, 4000)},
	{of("access", 4, 16, 800, 4000)},
	{of("read-4k-rand", 8, 8, 600, 3000)},
	{of("read-64k-rand", 4, 4, 200, 800)},
	{of("read-1m-rand", 4, 4, 32, 96)},
	{of("write-4k-rand", 4, 8, 800, 2400)},
	{of("write-1m-rand", 4, 4, 32, 64)},
	{of("readdirplus", 4, 4, 80, 300)},
	{of("make", 4, 16, 200, 1000), of("rename", 4, 16, 100, 500), of("remove", 4, 16, 100, 800)},
	{of("setattr", 4, 16, 200, 1000)},
	{of("mkdir", 4, 16, 100, 500), of("rmdir", 4, 16, 100, 400)},
	{of("getattr", 1, 1, 200, 1000)},
	{of("make", 1, 1, 30, 300), of("rename", 1, 1, 20, 200), of("remove", 1, 1, 20, 200)},
}

// of returns a load of conns connections with depth calls under way on each.
func of(workload string, conns, depth, warm, calls int) job.Load {
	return job.Load{Workload: workload, Conns: conns, Depth: depth, Warm: warm, Calls: calls}
}

func name(l job.Load) string { return l.Workload }
