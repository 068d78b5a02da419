package suite

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// canPart reports whether there are two processors, which part needs.
func canPart() bool {
	var all unix.CPUSet
	return unix.SchedGetaffinity(0, &all) == nil && all.Count() >= 2
}

// part gives the first processor that this process may use to the process server, and the second to
// this process. rejoin gives both all processors that this process had.
func part(server int) (rejoin func() error, err error) {
	var all unix.CPUSet
	if err := unix.SchedGetaffinity(0, &all); err != nil {
		return nil, fmt.Errorf("which processors there are: %w", err)
	}
	if all.Count() < 2 {
		return nil, errors.New("two processors are needed")
	}
	var its, ours unix.CPUSet
	for i := 0; ours.Count() == 0; i++ {
		switch {
		case !all.IsSet(i):
		case its.Count() == 0:
			its.Set(i)
		default:
			ours.Set(i)
		}
	}
	rejoin = func() error { return errors.Join(confine(server, &all), confine(os.Getpid(), &all)) }
	if err := errors.Join(confine(server, &its), confine(os.Getpid(), &ours)); err != nil {
		return nil, errors.Join(err, rejoin())
	}
	return rejoin, nil
}

// confine makes all threads of a process, and those that they start, run on cpus only.
func confine(pid int, cpus *unix.CPUSet) error {
	for seen := make(map[string]bool); ; {
		tasks, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
		if err != nil {
			return err
		}
		before := len(seen)
		for _, t := range tasks {
			tid, err := strconv.Atoi(t.Name())
			if err != nil || seen[t.Name()] {
				continue
			}
			if err := unix.SchedSetaffinity(tid, cpus); err != nil && err != unix.ESRCH {
				return fmt.Errorf("processors of thread %d: %w", tid, err)
			}
			seen[t.Name()] = true
		}
		if len(seen) == before { // a thread started meanwhile may have had the old processors
			return nil
		}
	}
}
