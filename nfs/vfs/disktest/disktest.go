// Package disktest makes, unmounts and freezes file systems for tests. When a test has ended,
// however it ends, the package unmounts what the test has mounted and thaws what it has frozen. It
// is for tests, and needs root.
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

// losesDevices is the complaint of mkfs.btrfs about a loop device that vanishes because another
// process has given it back, after mkfs.btrfs has found its name in the table of mounts and before
// it looks at it.
const losesDevices = "cannot check mount status"

// MakeFS runs a program that makes a file system. It tries again while the vanishing devices of
// other tests confuse the program. The error holds the program's output.
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

// Unmount unmounts the file system at dir. While that is busy, it tries again for a minute: a
// program that another test is just starting has the open files of this process until it runs.
func Unmount(dir string) error {
	for end := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		if err := unix.Unmount(dir, 0); err != unix.EBUSY || time.Now().After(end) {
			return err
		}
	}
}

// UnmountAtEnd unmounts what was just mounted at dir when the test has ended, or when unmount is
// called. If that fails, the test fails, and the mount is detached even so. A test may also unmount
// it without unmount.
func UnmountAtEnd(t testing.TB, dir string) (unmount func()) {
	unmount = sync.OnceFunc(func() {
		t.Helper()
		switch err := Unmount(dir); err {
		case nil, unix.EINVAL: // EINVAL: nothing is mounted there
		default:
			t.Errorf("umount of %s: %v", dir, err)
			_ = unix.Unmount(dir, unix.MNT_DETACH)
		}
	})
	t.Cleanup(unmount)
	return unmount
}

// Freeze freezes the file system at dir until thaw is called, or the test has ended. Another
// process freezes it, and thaws it after a minute whatever becomes of this process: a thread that
// waits for a frozen file system is not freed even by the end of its process.
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
