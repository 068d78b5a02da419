package v3

import (
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
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

// Calls that change the same object wait for each other, so they are made together.
func TestWhatACallChangesIsItsObject(t *testing.T) {
	r, _, file := faultRig(t)
	dir := r.root(0)
	target := func(proc int, a *args) rpc.Target {
		t.Helper()
		var c rpc.Call
		require.NoError(t, r.server.Parse(&c, r.record(proc, a.b), nil))
		left := c.Args.Left()
		got := c.Target()
		require.Equal(t, left, c.Args.Left(), "the call is as it was")
		return got
	}
	ofFile, ofDir := export.ObjectOf(file), export.ObjectOf(dir)
	require.NotEqual(t, ofFile, ofDir)
	volume := r.table.Exports()[0].Volume
	want := map[int]uint64{
		nfs3.NFSPROC3_SETATTR: ofFile, nfs3.NFSPROC3_WRITE: ofFile, nfs3.NFSPROC3_CREATE: ofDir,
		nfs3.NFSPROC3_MKDIR: ofDir, nfs3.NFSPROC3_SYMLINK: ofDir, nfs3.NFSPROC3_MKNOD: ofDir,
		nfs3.NFSPROC3_REMOVE: ofDir, nfs3.NFSPROC3_RMDIR: ofDir, nfs3.NFSPROC3_RENAME: ofDir,
		nfs3.NFSPROC3_LINK: ofDir,
	}
	for proc, a := range examples(file, dir) {
		if proc != nfs3.NFSPROC3_NULL {
			require.Equal(t, rpc.Target{Volume: volume, Object: want[proc]}, target(proc, a),
				name(proc))
		}
	}
	// The object of a RENAME is its first directory.
	require.Equal(t, ofFile, target(nfs3.NFSPROC3_RENAME,
		&args{append(in(file, "a").b, in(dir, "b").b...)}).Object)
	for _, c := range []struct {
		count, how uint32
		want       uint64
	}{
		{32 << 10, uint32(nfs3.FILE_SYNC), ofFile},
		{32 << 10, uint32(nfs3.DATA_SYNC), ofFile},
		{32<<10 + 1, uint32(nfs3.FILE_SYNC), 0},
		{1, uint32(nfs3.UNSTABLE), 0},
		{0, uint32(nfs3.UNSTABLE), 0},
	} {
		got := target(nfs3.NFSPROC3_WRITE, on(file).u64(7).u32(c.count, c.how).str("data"))
		require.Equal(t, rpc.Target{Volume: volume, Object: c.want}, got, "%+v", c)
	}
	require.Zero(t, target(nfs3.NFSPROC3_SETATTR, &args{[]byte{0, 0, 0, 2, 1, 2, 0, 0}}), "no handle")
	require.Zero(t, target(nfs3.NFSPROC3_LINK, &args{}), "no arguments")
}
