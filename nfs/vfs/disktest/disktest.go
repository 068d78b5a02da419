// Package disktest makes, unmounts and freezes file systems for tests. What a test has mounted
// or frozen is unmounted and thawed when it has ended, however it ends. It is for tests,
// which need root for it.
package disktest

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// losesDevices is what mkfs.btrfs says when a loop device that another process has given
// back is gone between its name in the table of mounts and the look at it.
const losesDevices = "cannot check mount status"

// MakeFS runs a program that makes a file system, again while other tests' devices that
// vanish confuse it. The error holds what the program said.
func MakeFS(mkfs string, args ...string) error {
	for tries := 1; ; tries++ {
		out, err := exec.Command(mkfs, args...).CombinedOutput()
		if err == nil {
			return nil
		}
		if tries == 100 || !strings.Contains(string(out), losesDevices) {
			return fmt.Errorf("%s %v: %w: %s", mkfs, args, err, strings.TrimSpace(string(out)))
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Unmount unmounts what is mounted at dir. While that is busy it tries again for a
// minute: programs that other tests are just starting have what this process has open,
// or had, until they run.
func Unmount(dir string) error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err := unix.Unmount(dir, 0); err != unix.EBUSY || time.Now().After(end) {
			return err
		}
	}
}

// UnmountAtEnd has what was just mounted at dir unmounted when the test has ended, or
// when unmount is called. If that fails so does the test, and nothing stays mounted all
// the same. A test may have unmounted it by itself.
func UnmountAtEnd(t testing.TB, dir string) (unmount func()) {
	unmount = sync.OnceFunc(func() {
		t.Helper()
		switch err := Unmount(dir); err {
		case nil, unix.EINVAL: // the second: nothing is mounted there
		default:
			t.Errorf("umount of %s: %v", dir, err)
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
	})
	t.Cleanup(unmount)
	return unmount
}

// Freeze freezes the file system at dir until thaw is called, or the test has ended.
// Another process does it, and thaws it after a minute whatever becomes of this one: not
// even the end of a process frees a thread that waits for that.
func Freeze(t testing.TB, dir string) (thaw func()) {
	t.Helper()
	if _, err := exec.LookPath("fsfreeze"); err != nil {
		t.Skip("needs fsfreeze")
	}
	const script = `fsfreeze -f "$0" && echo frozen && { read -r -t 60 _; r=$?; fsfreeze -u "$0" && [ $r -le 128 ]; }`
	guard := exec.Command("bash", "-c", script, dir)
	guard.Stderr = os.Stderr
	hold, err := guard.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	says, err := guard.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := guard.Start(); err != nil {
		t.Fatal(err)
	}
	thaw = sync.OnceFunc(func() {
		t.Helper()
		_ = hold.Close()
		if err := guard.Wait(); err != nil {
			t.Errorf("not frozen, or for longer than it should be: %v", err)
		}
	})
	t.Cleanup(thaw)
	if word, err := bufio.NewReader(says).ReadString('\n'); err != nil || word != "frozen\n" {
		t.Fatalf("fsfreeze of %s: %q, %v", dir, word, err)
	}
	return thaw
}
