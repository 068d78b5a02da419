package load

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"runtime"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// firstElsewhere turns the test binary into the program of
// TestAServerIsFoundFromAThreadOfAnotherNetwork.
const firstElsewhere = "RINGNFS_TEST_FIRST_THREAD_ELSEWHERE"

func init() {
	if os.Getenv(firstElsewhere) != "" {
		runtime.LockOSThread() // in init: the main goroutine stays on the process's first thread
	}
}

func TestMain(m *testing.M) {
	if os.Getenv(firstElsewhere) != "" {
		if err := findFromSecondThread(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// findFromSecondThread gives the first thread another network and looks for a listener
// from another thread.
func findFromSecondThread() error {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return fmt.Errorf("unshare: %w", err)
	}
	result := make(chan error)
	go func() {
		ln, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			result <- err
			return
		}
		if pids := FindServer(ln.Addr().String()); len(pids) != 1 || pids[0] != os.Getpid() {
			err = fmt.Errorf("the listener of process %d was found in the processes %v", os.Getpid(), pids)
		}
		_ = ln.Close()
		result <- err
	}()
	return <-result
}

// A goroutine that gives its thread another network and ends may have run on the process's first
// thread. From then on /proc/net shows the network of that thread.
func TestAServerIsFoundFromAThreadOfAnotherNetwork(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: network namespaces")
	}
	program := exec.Command("/proc/self/exe")
	program.Env = append(os.Environ(), firstElsewhere+"=1")
	out, err := program.CombinedOutput()
	require.NoError(t, err, "%s", out)
}
