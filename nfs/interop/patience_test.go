//go:build interop

package interop

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long a guest may print nothing. A machine that is ten times slower than ours, and
// busy, does a step of the workload in that time.
const patience = 10 * time.Minute

// full reports whether every combination is asked for (as by make soak), and not only a sample that
// has every value of each dimension.
func full() bool { return os.Getenv("RINGNFS_MATRIX") == "full" }

// room is how many guests may run at once. A guest keeps less than a processor busy: it waits for
// locks, for servers that are started again, and for packets that are late on purpose. So there is
// one guest more than processors.
var room = runtime.NumCPU() + 1

// processors counts the guests for which there is room.
var processors = struct {
	mu   sync.Mutex
	cond *sync.Cond
	free int
}{free: room}

func init() { processors.cond = sync.NewCond(&processors.mu) }

// board waits for room for so many guests. done gives the room back. More guests would only make each
// other late.
func board(guests int) (done func()) {
	guests = min(guests, room)
	processors.mu.Lock()
	defer processors.mu.Unlock()
	for processors.free < guests {
		processors.cond.Wait()
	}
	processors.free -= guests
	return func() {
		processors.mu.Lock()
		defer processors.mu.Unlock()
		processors.free += guests
		processors.cond.Broadcast()
	}
}

// umlNFS runs the harness with room for so many guests. It ends the harness when that has said
// nothing for longer than the harness itself should have waited for a guest.
func umlNFS(t *testing.T, guests int, args ...string) (out, says bytes.Buffer, err error) {
	t.Helper()
	defer board(guests)()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	hung := time.AfterFunc(2*patience, cancel)
	defer hung.Stop()
	word := func(to *bytes.Buffer) *heard { return &heard{to: to, on: func() { hung.Reset(2 * patience) }} }
	cmd := exec.CommandContext(
		ctx,
		here+"/uml-nfs",
		append([]string{"--patience", fmt.Sprint(int(patience.Seconds()))}, args...)...)
	cmd.Env = append(os.Environ(), "RINGNFS="+program)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}       // nothing outlives the tests
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it clears up
	cmd.WaitDelay = 20 * time.Second
	cmd.Stdout, cmd.Stderr = word(&out), word(&says)
	err = cmd.Run()
	return out, says, err
}

// heard passes on what is written to it, and tells that something was written.
type heard struct {
	to *bytes.Buffer
	on func()
}

func (h *heard) Write(p []byte) (int, error) {
	h.on()
	return h.to.Write(p)
}
