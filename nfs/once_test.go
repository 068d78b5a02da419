package nfs

import (
	"errors"
	"os"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/transport"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// closings counts how often it is closed.
type closings struct {
	vfs.FS
	n int
}

func (c *closings) Close() error {
	c.n++
	return c.FS.Close()
}

func TestAFileSystemIsClosedOnceWhenTheStartFailsLate(t *testing.T) {
	failure := errors.New("no transport")
	newTransport = func(transport.Config) (*transport.Server, error) { return nil, failure }
	defer func() { newTransport = transport.New }()
	one, two := &closings{FS: memfs.New(memfs.Config{})}, &closings{FS: memfs.New(memfs.Config{})}
	state := t.TempDir()
	require.NoError(t, os.Chmod(state, 0o700)) // the umask may be 0
	_, err := New(
		Config{
			Exports:  []Export{{Dir: "/one", FS: one}, {Dir: "/two", FS: two}},
			Portmap:  PortmapOff,
			StateDir: state,
		},
	)
	require.ErrorIs(t, err, failure)
	require.Equal(t, []int{1, 1}, []int{one.n, two.n})
}
