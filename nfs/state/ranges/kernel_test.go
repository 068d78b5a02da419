package ranges_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// kernel is a file with the one lock that stands for all owners, and a program of the machine
// that locks it, too. That program is this one: to the kernel, a process that locks by F_SETLK
// is another owner than any open file description.
type kernel struct {
	ours, local *os.File
}

func newKernel(t *testing.T) kernel {
	path := filepath.Join(t.TempDir(), "file")
	open := func() *os.File {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
		require.NoError(t, err)
		t.Cleanup(func() { require.NoError(t, f.Close()) })
		return f
	}
	k := kernel{open(), open()}
	if refused, err := lock(k.ours, unix.F_OFD_SETLK, ranges.All, write); err != nil || refused {
		t.Skipf("the file system of %s has no locks of open file descriptions: %v", path, err)
	}
	return k
}

func flock(r ranges.Range, kind ranges.Kind) (l unix.Flock_t, ok bool) {
	l.Type = [...]int16{none: unix.F_UNLCK, read: unix.F_RDLCK, write: unix.F_WRLCK}[kind]
	l.Start, l.Len, ok = r.Kernel()
	return l, ok
}

// lock locks or unlocks what the kernel knows of a range.
func lock(f *os.File, cmd int, r ranges.Range, kind ranges.Kind) (refused bool, err error) {
	l, ok := flock(r, kind)
	if !ok {
		return false, nil
	}
	err = unix.FcntlFlock(f.Fd(), cmd, &l)
	if errors.Is(err, unix.EAGAIN) {
		return true, nil
	}
	return false, err
}

// holder asks for the first lock of another owner than the asking one that is in the way of a
// lock for writing.
func holder(f *os.File, cmd int, r ranges.Range) (ranges.Range, ranges.Kind, error) {
	l, ok := flock(r, write)
	if !ok {
		return ranges.Range{}, none, nil
	}
	if err := unix.FcntlFlock(f.Fd(), cmd, &l); err != nil {
		return ranges.Range{}, none, err
	}
	switch l.Type {
	case unix.F_RDLCK:
		return ranges.FromKernel(l.Start, l.Len), read, nil
	case unix.F_WRLCK:
		return ranges.FromKernel(l.Start, l.Len), write, nil
	}
	return ranges.Range{}, none, nil
}

// known is the part of a cell that the kernel knows, and whether there is one.
func known(r ranges.Range) (ranges.Range, bool) {
	return ranges.Range{Start: r.Start, End: min(r.End, max63)}, r.Start <= max63
}

// TestTheKernelHasTheGreatestKindOnEachByte makes changes as a server does, while a program of
// the machine locks and unlocks as it likes. After each step the kernel tells each byte's lock.
func TestTheKernelHasTheGreatestKindOnEachByte(t *testing.T) {
	k := newKernel(t)
	rapid.Check(t, func(t *rapid.T) {
		const bytes = 48
		m := newModel(bases(bytes).Draw(t, "base"), bytes)
		_, err := lock(k.ours, unix.F_OFD_SETLK, ranges.All, none)
		require.NoError(t, err)
		_, err = lock(k.local, unix.F_SETLK, ranges.All, none)
		require.NoError(t, err)
		var table ranges.Table
		var p ranges.Plan
		local := make([]ranges.Kind, len(m.starts)) // what the other program holds

		conflicts := func(levels []ranges.Kind, r ranges.Range, kind ranges.Kind) bool {
			for c, l := range levels {
				part, ok := known(m.cells(c, c))
				if ok && r.Overlaps(part) && kind != none && l != none && (kind == write || l == write) {
					return true
				}
			}
			return false
		}
		set := func(r ranges.Range, kind ranges.Kind) bool {
			refused, err := lock(k.ours, unix.F_OFD_SETLK, r, kind)
			require.NoError(t, err)
			require.Equal(t, conflicts(local, r, kind), refused)
			if refused { // the answer to the client names a lock of the other program
				held, holds, err := holder(k.ours, unix.F_OFD_GETLK, r)
				require.NoError(t, err)
				require.NotEqual(t, none, holds)
				require.True(t, held.Overlaps(r))
			}
			return refused
		}
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			if rapid.IntRange(0, 3).Draw(t, "who") == 0 {
				kind := rapid.SampledFrom([]ranges.Kind{none, none, read, write}).Draw(t, "local kind")
				from := rapid.IntRange(0, len(m.starts)-1).Draw(t, "local from")
				to := min(from+rapid.IntRange(0, 8).Draw(t, "local more"), len(m.starts)-1)
				r := m.cells(from, to)
				refused, err := lock(k.local, unix.F_SETLK, r, kind)
				require.NoError(t, err)
				require.Equal(t, conflicts(m.levels(), r, kind), refused)
				if !refused {
					m.set(local, r, kind)
				}
			} else {
				m.step(t, &table, &p, set)
			}
			for c := range m.starts {
				cell, ok := known(m.cells(c, c))
				if !ok {
					break
				}
				held, kind, err := holder(k.local, unix.F_GETLK, cell)
				require.NoError(t, err)
				require.Equal(t, m.level(c, -1), kind, "cell %d, %v", c, cell)
				if kind != none {
					require.True(t, held.Start <= cell.Start && cell.End <= held.End, "%v in %v", cell, held)
				}
			}
		}
	})
}
