package iopath

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/iopolicy"
)

func TestDecidingOnAWayAllocatesNothing(t *testing.T) {
	const least = 128 << 10
	p := &Path{Shared: &Shared{Policy: iopolicy.NewPolicy(iopolicy.Auto, least, 4<<30)}}
	f := &File{}
	p.passed(f, iopolicy.ToRead, 0, 1<<20, 8<<30) // allocates the streams
	at := uint64(0)
	require.Zero(t, testing.AllocsPerRun(1000, func() {
		_ = p.way(f, iopolicy.ToRead, at, 1<<20)
		p.passed(f, iopolicy.ToRead, at, 1<<20, 128<<30)
		_ = p.way(f, iopolicy.ToRead, 4<<30+at*7919%(64<<30), 1<<20)
		p.passed(f, iopolicy.ToRead, 4<<30+at*7919%(64<<30), 1<<20, 128<<30)
		at += 1 << 20
	}))
	require.Equal(t, iopolicy.Dropping, p.way(f, iopolicy.ToRead, at, 1<<20))
	require.Equal(
		t,
		iopolicy.Keeping,
		p.way(f, iopolicy.ToWrite, at, 1<<20),
		"a stream of READs says nothing of WRITEs",
	)
	require.Equal(t, iopolicy.Keeping, p.way(f, iopolicy.ToRead, at, least-1), "small ones never")
	small := &File{}
	p.passed(small, iopolicy.ToRead, 0, 1<<20, 1<<30-1)
	require.Nil(t, small.streams.Load(), "a file that can be kept")
}

func TestTheMemoryOfAControlGroupIsWhatThereIs(t *testing.T) {
	dir := t.TempDir()
	put := func(path, text string) string {
		p := filepath.Join(dir, path)
		require.NoError(t, os.MkdirAll(filepath.Dir(p), 0o755))
		require.NoError(t, os.WriteFile(p, []byte(text), 0o644))
		return p
	}
	var m unix.Sysinfo_t
	require.NoError(t, unix.Sysinfo(&m))
	all := uint64(m.Totalram) * uint64(m.Unit)
	put("a/b/memory.max", "max\n")
	put("a/b/memory.high", "20000000\n")
	put("a/memory.max", "30000000\n")
	put("memory/c/memory.limit_in_bytes", "10000000\n")
	put("memory/memory.limit_in_bytes", "9223372036854771712\n")
	for own, want := range map[string]uint64{
		"0::/a/b\n":                  20_000_000,
		"0::/a\n":                    30_000_000,
		"0::/a/other\n":              30_000_000,
		"0::/\n":                     all,
		"0::/elsewhere/x\n":          all,
		"4:cpu,memory:/c/d\n0::/a\n": 10_000_000,
		"4:cpu:/c\n":                 all,
		"4:memory:/\n":               all,
		"rubbish\n\n":                all,
	} {
		require.Equal(t, want, MemoryLimit(dir, put("own", own)), own)
	}
	require.Equal(t, all, MemoryLimit(dir, filepath.Join(dir, "missing")))
}
