package export

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// attachedTable is a table with two exports, on which place 0 is a lane's.
func attachedTable(t testing.TB) *Table {
	t.Helper()
	tab := newTable(t, "/a", "/b")
	require.NoError(t, tab.Attach(0, &vfs.Thread{}))
	require.NoError(t, tab.Attach(1, &vfs.Thread{MayWait: true}))
	t.Cleanup(func() {
		tab.Detach(0)
		tab.Detach(1)
		require.NoError(t, tab.Close())
	})
	return tab
}

// A lane that remembers gives the same answers as one that does not, whatever the question, also if
// many handles share a slot.
func TestWhatIsRememberedChangesNoAnswer(t *testing.T) {
	tab := attachedTable(t)
	require.NotNil(t, tab.places[0].memo)
	require.Nil(t, tab.places[1].memo, "workers would take a lot of memory")
	rapid.Check(t, func(t *rapid.T) {
		raw := rapid.SliceOfN(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0xff}), 0, vfs.HandleMax), 1, 5).Draw(t, "handles")
		var sealed [][]byte
		for range rapid.IntRange(1, 50).Draw(t, "steps") {
			h, ok := vfs.MakeHandle(rapid.SampledFrom(raw).Draw(t, "handle"))
			require.True(t, ok)
			x := rapid.SampledFrom(tab.Exports()).Draw(t, "export")
			if len(sealed) == 0 || rapid.Bool().Draw(t, "seal") {
				want := tab.Seal(x, &h, []byte("before"))
				require.Equal(t, want, tab.SealAt(0, x, &h, []byte("before")))
				sealed = append(sealed, want[len("before"):])
				continue
			}
			fh := bytes.Clone(rapid.SampledFrom(sealed).Draw(t, "sealed"))
			switch rapid.IntRange(0, 3).Draw(t, "change") {
			case 0:
				i := rapid.IntRange(0, len(fh)-1).Draw(t, "byte")
				fh[i] ^= rapid.Byte().Draw(t, "bits")
			case 1:
				fh = fh[:rapid.IntRange(0, len(fh)).Draw(t, "length")]
			}
			wantX, wantH, wantS := tab.Open(fh)
			var gotH vfs.Handle
			gotX, gotS := tab.OpenAt(0, fh, &gotH)
			require.Equal(t, wantS, gotS)
			require.Same(t, wantX, gotX)
			require.Equal(t, wantH, gotH)
		}
	})
}

func TestEveryAlterationOfARememberedHandleIsRefused(t *testing.T) {
	tab := attachedTable(t)
	x := tab.Exports()[0]
	for n := memoMin; n <= vfs.HandleMax; n++ {
		h := handleOf(t, n)
		fh := tab.SealAt(0, x, &h, nil)
		for bit := range len(fh) * 8 {
			bad := bytes.Clone(fh)
			bad[bit/8] ^= 1 << (bit % 8)
			var got vfs.Handle
			x, s := tab.OpenAt(0, bad, &got)
			require.Contains(t, []vfs.Status{vfs.Stale, vfs.BadHandle}, s, "%d bytes, bit %d", n, bit)
			require.Nil(t, x)
			require.True(t, tab.places[0].memo.slot(h.Bytes()).is(fh), "what was refused is not remembered")
		}
	}
}

func TestRememberingNeitherAllocatesNorSealsAgain(t *testing.T) {
	tab := attachedTable(t)
	x := tab.Exports()[1]
	h := handleOf(t, 20)
	dst := make([]byte, 0, WireMax)
	var got vfs.Handle
	fh := tab.Seal(x, &h, nil)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		tab.SealAt(0, x, &h, dst)
		tab.OpenAt(0, fh, &got)
	}))
	r := tab.places[0].memo.slot(h.Bytes())
	r.fh[len(fh)-1] ^= 1 // to see that the memo is used
	require.Equal(t, r.fh[:len(fh)], tab.SealAt(0, x, &h, nil))
	_, s := tab.OpenAt(0, r.fh[:len(fh)], &got)
	require.Equal(t, vfs.OK, s)
}

// Files of one file system have neighbouring numbers, which must not all share a slot.
func TestNeighboursAreRememberedTogether(t *testing.T) {
	m := new(memo)
	for _, at := range []int{0, 4, 8, 12} {
		used := make(map[*remembered]bool)
		for i := range uint32(100) {
			b := make([]byte, 20)
			binary.LittleEndian.PutUint32(b[at:], 7000+i)
			used[m.slot(b)] = true
		}
		require.Greater(t, len(used), 80, "number at byte %d", at)
	}
}

func BenchmarkHandles(b *testing.B) {
	tab := attachedTable(b)
	x := tab.Exports()[0]
	h := handleOf(b, 16)
	fh := tab.Seal(x, &h, nil)
	dst := make([]byte, 0, WireMax)
	for place, kind := range []string{"remembered", "computed"} {
		b.Run(fmt.Sprintf("open/%s", kind), func(b *testing.B) {
			b.ReportAllocs()
			var got vfs.Handle
			for b.Loop() {
				tab.OpenAt(place, fh, &got)
			}
		})
		b.Run(fmt.Sprintf("seal/%s", kind), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				tab.SealAt(place, x, &h, dst)
			}
		})
	}
}
