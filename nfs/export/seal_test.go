package export

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func handleOf(t testing.TB, n int) vfs.Handle {
	t.Helper()
	h, ok := vfs.MakeHandle(bytes.Repeat([]byte{0xa5}, n))
	require.True(t, ok)
	return h
}

func TestSealedHandleOpensToWhatWasSealed(t *testing.T) {
	tab := newTable(t, "/a", "/b")
	for n := range vfs.HandleMax + 1 {
		h := handleOf(t, n)
		for _, x := range tab.Exports() {
			fh := tab.Seal(x, &h, nil)
			require.LessOrEqual(t, len(fh), WireMax)
			gotX, gotH, s := tab.Open(fh)
			require.Equal(t, vfs.OK, s)
			require.Same(t, x, gotX)
			require.Equal(t, h, gotH)
		}
	}
}

func TestSealAppends(t *testing.T) {
	tab := newTable(t, "/a")
	h := handleOf(t, 12)
	alone := tab.Seal(tab.Exports()[0], &h, nil)
	behind := tab.Seal(tab.Exports()[0], &h, []byte("before"))
	require.Equal(t, append([]byte("before"), alone...), behind)
}

// TestSealFormatIsFixed pins the bytes: handles that clients hold must open
// after an upgrade of the server.
func TestSealFormatIsFixed(t *testing.T) {
	tab := newTable(t, "/srv/data")
	h, _ := vfs.MakeHandle([]byte{1, 2, 3})
	fh := tab.Seal(tab.Exports()[0], &h, nil)
	require.Equal(t, "011b6de9d403010203", fmt.Sprintf("%x", fh[:len(fh)-tagLen]))
	mac := hmac.New(sha256.New, []byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"))
	mac.Write([]byte("ringnfs sealed handle\x1b\x6d\xe9\xd4\x01" + strings.Repeat("\x00", 31)))
	key := mac.Sum(nil)
	tag := siphash(binary.LittleEndian.Uint64(key), binary.LittleEndian.Uint64(key[8:16]), fh[:9])
	require.Equal(t, tag, binary.LittleEndian.Uint64(fh[9:]))
}

func TestAHandleIsGoodForOneFileSystemOnly(t *testing.T) {
	table := func(ids ...vfs.Identity) *Table {
		xs := exportsOf("/a", "/b")
		for i := range xs {
			xs[i].FS = &stubFS{id: ids[i]}
		}
		tab, err := NewTable(testKey(), 1, xs)
		require.NoError(t, err)
		return tab
	}
	one, two := vfs.Identity{1}, vfs.Identity{2}
	last := one
	last[len(last)-1] ^= 1
	tab := table(one, two)
	for _, n := range []int{0, 16, vfs.HandleMax} {
		h := handleOf(t, n)
		fh := tab.Seal(tab.Exports()[0], &h, nil)
		for _, other := range []vfs.Identity{two, last} {
			swapped := table(other, one)
			_, _, s := swapped.Open(fh)
			require.Equal(t, vfs.Stale, s)
			require.Len(t, swapped.Seal(swapped.Exports()[0], &h, nil), len(fh), "it costs no bytes")
		}
		x, got, s := table(one, one).Open(fh) // the server has been started again
		require.Equal(t, vfs.OK, s)
		require.Equal(t, "/a", x.Path)
		require.Equal(t, h, got)
	}
	_, err := NewTable(testKey(), 1, []Export{{Path: "/a", FS: &stubFS{}}})
	require.ErrorContains(t, err, "has no identity")
}

func refused(t *testing.T, tab *Table, fh []byte, what string) {
	t.Helper()
	x, h, s := tab.Open(fh)
	require.Contains(t, []vfs.Status{vfs.Stale, vfs.BadHandle}, s, what)
	require.Nil(t, x, what)
	require.Equal(t, vfs.Handle{}, h, what)
}

func TestEveryAlterationIsRefused(t *testing.T) {
	tab := newTable(t, "/a", "/b")
	for _, n := range []int{0, 1, 7, 8, 12, 43, 44} {
		h := handleOf(t, n)
		fh := tab.Seal(tab.Exports()[0], &h, nil)
		for bit := range len(fh) * 8 {
			bad := bytes.Clone(fh)
			bad[bit/8] ^= 1 << (bit % 8)
			refused(t, tab, bad, fmt.Sprintf("%d bytes, bit %d flipped", n, bit))
		}
		for cut := range len(fh) {
			refused(t, tab, fh[:cut], fmt.Sprintf("%d bytes cut to %d", n, cut))
			refused(t, tab, fh[len(fh)-cut:], fmt.Sprintf("last %d of %d bytes", cut, n))
		}
		for more := 1; more <= 80; more++ {
			refused(
				t,
				tab,
				append(bytes.Clone(fh), make([]byte, more)...),
				fmt.Sprintf("%d bytes longer by %d", n, more),
			)
		}
		// The other export's identity under the first one's tag.
		bad := bytes.Clone(fh)
		binary.BigEndian.PutUint32(bad[1:], tab.Exports()[1].ID)
		_, _, s := tab.Open(bad)
		require.Equal(t, vfs.Stale, s)
	}
}

func TestShortenedHandleWithMatchingLengthIsRefused(t *testing.T) {
	tab := newTable(t, "/a")
	h := handleOf(t, 20)
	fh := tab.Seal(tab.Exports()[0], &h, nil)
	bad := append(bytes.Clone(fh[:wireHeader+19]), fh[len(fh)-tagLen:]...)
	bad[5] = 19
	_, _, s := tab.Open(bad)
	require.Equal(t, vfs.Stale, s)
}

func TestHandleOfAnotherKeyOrAGoneExportIsStale(t *testing.T) {
	tab := newTable(t, "/a", "/b")
	h := handleOf(t, 16)
	fh := tab.Seal(tab.Exports()[1], &h, nil)

	key := testKey()
	for i := range key {
		other := key
		other[i] ^= 1
		with, err := NewTable(other, 1, exportsOf("/a", "/b"))
		require.NoError(t, err)
		_, _, s := with.Open(fh)
		require.Equal(t, vfs.Stale, s)
	}
	_, _, s := newTable(t, "/a").Open(fh)
	require.Equal(t, vfs.Stale, s, "export /b is gone")
	_, _, s = newTable(t, "/b", "/a").Open(fh)
	require.Equal(t, vfs.OK, s, "order does not matter")
}

func TestImpossibleHandlesAreBad(t *testing.T) {
	tab := newTable(t, "/a")
	h := handleOf(t, 16)
	fh := tab.Seal(tab.Exports()[0], &h, nil)
	future := bytes.Clone(fh)
	future[0] = wireVersion + 1
	for name, b := range map[string][]byte{
		"empty": nil, "one byte": {1}, "below the least": make([]byte, wireMin-1),
		"above the most": make([]byte, wireFull+1), "64 zeroes": make([]byte, 64), "other version": future,
	} {
		_, _, s := tab.Open(b)
		require.Equal(t, vfs.BadHandle, s, name)
	}
}

func TestOpenAndSealDoNotAllocate(t *testing.T) {
	tab := newTable(t, "/a", "/b")
	h := handleOf(t, vfs.HandleMax)
	x := tab.Exports()[1]
	buf := make([]byte, 0, WireMax)
	fh := tab.Seal(x, &h, nil)
	require.Zero(t, testing.AllocsPerRun(100, func() { buf = tab.Seal(x, &h, buf[:0]) }))
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = tab.Open(fh) }))
	bad := bytes.Clone(fh)
	bad[7]++
	require.Zero(t, testing.AllocsPerRun(100, func() { _, _, _ = tab.Open(bad) }))
}

func FuzzOpen(f *testing.F) {
	tab := newTable(f, "/a", "/b")
	h := handleOf(f, 16)
	f.Add(tab.Seal(tab.Exports()[0], &h, nil))
	f.Add([]byte{})
	f.Add(make([]byte, wireFull))
	f.Fuzz(func(t *testing.T, fh []byte) {
		x, h, s := tab.Open(fh)
		if s != vfs.OK {
			require.Nil(t, x)
			return
		}
		require.Equal(t, fh, tab.Seal(x, &h, nil), "an accepted handle is exactly the one that Seal makes")
	})
}

func BenchmarkOpen(b *testing.B) {
	for _, n := range []int{16, vfs.HandleMax} {
		b.Run(fmt.Sprintf("%dbytes", n), func(b *testing.B) {
			tab := newTable(b, "/a", "/b")
			h := handleOf(b, n)
			fh := tab.Seal(tab.Exports()[1], &h, nil)
			b.ReportAllocs()
			for b.Loop() {
				if _, _, s := tab.Open(fh); s != vfs.OK {
					b.Fatal(s)
				}
			}
		})
	}
}

func BenchmarkSeal(b *testing.B) {
	for _, n := range []int{16, vfs.HandleMax} {
		b.Run(fmt.Sprintf("%dbytes", n), func(b *testing.B) {
			tab := newTable(b, "/a", "/b")
			h := handleOf(b, n)
			x := tab.Exports()[1]
			buf := make([]byte, 0, WireMax)
			b.ReportAllocs()
			for b.Loop() {
				buf = tab.Seal(x, &h, buf[:0])
			}
		})
	}
}

func TestVolumeOfAHandleIsItsExports(t *testing.T) {
	exports := exportsOf("/a", "/b")
	exports[0].Volume = 7
	tab, err := NewTable(testKey(), 1, exports)
	require.NoError(t, err)
	for i, want := range []int{7, 0} {
		x := tab.Exports()[i]
		h := handleOf(t, 16)
		fh := tab.Seal(x, &h, nil)
		require.Equal(t, want, tab.Volume(fh))
		require.Zero(t, tab.Volume(fh[:wireMin-1]))
		require.Zero(t, tab.Volume(append(bytes.Clone(fh), make([]byte, WireMax)...)))
		fh[1] ^= 0xff
		require.Zero(t, tab.Volume(fh), "of no export")
	}
	require.Zero(t, tab.Volume(nil))
}
