package v3

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/rpc"
)

func TestTheTableHasAllProceduresOfTheProtocol(t *testing.T) {
	// RFC 1813, section 3: the program's definition.
	want := []string{
		"NULL", "GETATTR", "SETATTR", "LOOKUP", "ACCESS", "READLINK", "READ", "WRITE", "CREATE", "MKDIR", "SYMLINK",
		"MKNOD", "REMOVE", "RMDIR", "RENAME", "LINK", "READDIR", "READDIRPLUS", "FSSTAT", "FSINFO", "PATHCONF", "COMMIT",
	}
	p := New(nil, Config{})
	rpc.NewServer(p) // panics when the table is inconsistent
	require.Equal(t, uint32(100003), p.Number)
	require.Len(t, p.Versions, 1, "so that version 4 is answered with the range 3 to 3")
	require.Equal(t, uint32(3), p.Versions[0].Number)
	procedures := p.Versions[0].Procedures
	require.Len(t, procedures, len(want))
	for i, q := range procedures {
		require.Equal(t, want[i], q.Name)
		require.NotNil(t, q.Handle, q.Name)
	}
}

func TestWhatMayNotRunTwiceIsMarkedOnce(t *testing.T) {
	once := []string{"SETATTR", "CREATE", "MKDIR", "SYMLINK", "MKNOD", "REMOVE", "RMDIR", "RENAME", "LINK"}
	blocking := append([]string{"COMMIT"}, once...)
	for _, q := range New(nil, Config{}).Versions[0].Procedures {
		require.Equal(t, slices.Contains(once, q.Name), q.Once, q.Name)
		require.Equal(t, slices.Contains(blocking, q.Name), q.Class == rpc.Blocking, q.Name)
	}
}

func TestLimitsAreBroughtIntoTheirRanges(t *testing.T) {
	limits := func(read, write, dir uint32, places int) Config {
		return Config{ReadMax: read, WriteMax: write, ReadDirMax: dir, Places: places}
	}
	for _, c := range []struct {
		name    string
		in, out Config
	}{
		{"defaults", Config{}, limits(1<<20, 1<<20, 64<<10, 1024)},
		{"the largest", limits(4<<20, 4<<20, 1<<20, 3), limits(4<<20, 4<<20, 1<<20, 3)},
		{"too large", limits(1<<32-1, 1<<32-1, 1<<32-1, -1), limits(4<<20, 4<<20, 1<<20, 1024)},
		{"too small", limits(1, 4095, 1, 1), limits(4096, 4096, 4096, 1)},
		{"uneven", limits(65537, 70000, 8191, 1), limits(65536, 69632, 4096, 1)},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.in.settle()
			require.Equal(t, c.out, c.in)
		})
	}
}
