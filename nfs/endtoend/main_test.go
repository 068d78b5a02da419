package endtoend

import (
	"net"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestMain opens the descriptors that the Go runtime keeps for itself, so that counting descriptors
// finds only those that the server leaves. It clears the umask, so that files get the modes that
// tests give them.
func TestMain(m *testing.M) {
	if dir := os.Getenv(strings.TrimSuffix(apartEnv, "=")); dir != "" {
		serverApart(dir)
	}
	unix.Umask(0)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	if err := l.Close(); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}
