package suite

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// canPart reports whether there are two processors for part.
func canPart() bool {
	var all unix.CPUSet
	return unix.SchedGetaffinity(0, &all) == nil && all.Count() >= 2
}

// part gives the first processor that this process may use to the process server and
// the second to this one. rejoin gives both what this one had.
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

// confine has all threads of a process run on cpus only, and those that they start.
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
		if len(seen) == before { // one that was started meanwhile may have had the old ones
			return nil
		}
	}
}
