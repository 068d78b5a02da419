//go:build interop

package interop

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

var (
	program string // ringnfs
	here    string // this directory
)

func TestMain(m *testing.M) {
	os.Exit(runAll(m))
}

func runAll(m *testing.M) int {
	_ = os.Setenv("PATH", os.Getenv("PATH")+":/usr/local/sbin:/usr/sbin:/sbin")
	dir, err := os.MkdirTemp("", "ringnfs-interop-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil { // a test runs it as another user
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if here, err = os.Getwd(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if program = os.Getenv("RINGNFS_PROGRAM"); program == "" {
		program = filepath.Join(dir, "ringnfs")
		build := exec.Command("go", "build", "-o", program, "./cmd/ringnfs")
		build.Dir = filepath.Join(here, "..", "..")
		if out, err := build.CombinedOutput(); err != nil {
			fmt.Fprintf(os.Stderr, "building ringnfs: %v\n%s", err, out)
			return 1
		}
	}
	return m.Run()
}

// need ends the test if it needs a program that is not installed. It skips the test, or fails it
// where everything should be installed.
func need(t *testing.T, programs ...string) {
	t.Helper()
	for _, p := range programs {
		if _, err := exec.LookPath(p); err != nil {
			if os.Getenv("RINGNFS_REQUIRE") == "1" {
				t.Fatalf("%s is not installed (make deps does that)", p)
			}
			t.Skipf("%s is not installed (make deps does that)", p)
		}
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root: other users, namespaces or mounts")
	}
}

// logDir is where the test leaves logs: below $RINGNFS_KEEP, or in a directory that is removed with
// the test.
func logDir(t *testing.T) string {
	t.Helper()
	keep := os.Getenv("RINGNFS_KEEP")
	if keep == "" {
		return t.TempDir()
	}
	dir := filepath.Join(keep, t.Name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}
