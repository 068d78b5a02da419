package suite

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// processors returns the processors that all threads of a process may use.
func processors(t *testing.T, pid int) (all []unix.CPUSet) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/" + strconv.Itoa(pid) + "/task/*")
	require.NoError(t, err)
	for _, x := range tasks {
		tid, err := strconv.Atoi(filepath.Base(x))
		require.NoError(t, err)
		var c unix.CPUSet
		if err := unix.SchedGetaffinity(tid, &c); err != unix.ESRCH {
			require.NoError(t, err)
			all = append(all, c)
		}
	}
	require.NotEmpty(t, all)
	return all
}

func TestServerAndClientApartShareNoProcessor(t *testing.T) {
	if !canPart() {
		t.Skip("needs two processors")
	}
	server := exec.Command("sleep", "100")
	require.NoError(t, server.Start())
	defer func() { _ = server.Process.Kill(); _ = server.Wait() }()
	var before unix.CPUSet
	require.NoError(t, unix.SchedGetaffinity(0, &before))
	rejoin, err := part(server.Process.Pid)
	require.NoError(t, err)
	its := processors(t, server.Process.Pid)
	ours := processors(t, os.Getpid())
	err = rejoin()
	for _, a := range its {
		require.Equal(t, 1, a.Count())
		for _, b := range ours {
			require.Equal(t, 1, b.Count())
			require.NotEqual(t, a, b)
		}
	}
	require.NoError(t, err)
	for _, pid := range []int{server.Process.Pid, os.Getpid()} {
		for _, c := range processors(t, pid) {
			require.Equal(t, before, c)
		}
	}
	_ = server.Process.Kill()
	_ = server.Wait()
	_, err = part(server.Process.Pid)
	require.Error(t, err, "the server is gone")
	for _, c := range processors(t, os.Getpid()) {
		require.Equal(t, before, c)
	}
}
