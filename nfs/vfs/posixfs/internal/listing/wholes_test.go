package listing

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestPlacesThatMayBePositions(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		places []uint64
		want   bool
	}{
		"numbers":             {[]uint64{1, 2, 3, 4}, true},
		"numbers from 2 on":   {[]uint64{2, 3, 4}, true},
		"numbers with a gap":  {[]uint64{1, 2, 3, 7}, true},
		"bytes of records":    {[]uint64{32, 64, 96, 136}, true},
		"the longest records": {[]uint64{32, 64, 344}, true},
		"hashes":              {[]uint64{1, 2, 1 << 40, 1<<40 + 77}, false},
		"an index":            {[]uint64{1 << 12, 2 << 12, 3 << 12}, false},
		"no order":            {[]uint64{5, 3, 9}, false},
		"an empty directory":  {[]uint64{1, 2}, false},
	} {
		require.Equal(t, x.want, positions(x.places), name)
	}
}

func TestAListingCanGoOnAfterPlacesThatDiffer(t *testing.T) {
	t.Parallel()
	for name, x := range map[string]struct {
		places []uint64
		want   bool
	}{
		"none":                 {nil, true},
		"from 1 to the most":   {[]uint64{1, 1<<63 - 1, 7}, true},
		"the same again":       {[]uint64{3, 5, 3}, false},
		"the beginning":        {[]uint64{3, 0, 5}, false},
		"more than a cookie's": {[]uint64{3, 1 << 63}, false},
	} {
		require.Equal(t, x.want, distinct(x.places), name)
	}
}

// A listing reads a directory of any size once. All directories together take no more memory than
// allowed.
func TestDirectoriesThatAreBeingListedAreKept(t *testing.T) {
	t.Parallel()
	var ws wholes
	one := func(i byte, size int) *whole {
		h, fits := vfs.MakeHandle([]byte{i})
		require.True(t, fits)
		return &whole{dir: h, dents: make([]byte, 0, size), began: 1, used: 1}
	}
	kept := func(w *whole, tick int64) bool {
		return ws.find(&w.dir, nil, tick) == w
	}
	const large = wholesKept / 4
	var all []*whole
	for i := range byte(8) {
		w := one(i, large)
		ws.keep(w, 1)
		require.True(t, kept(w, 1), "the one that is being listed")
		all = append(all, w)
		total := 0
		for _, w := range ws.list {
			total += w.size()
		}
		require.LessOrEqual(t, total, wholesKept)
	}
	require.Len(t, ws.list, 4)
	require.True(t, kept(all[4], 2), "the oldest one that is kept; it is in use now")
	ws.keep(one(100, large), 2)
	require.True(t, kept(all[4], 2))
	require.False(t, kept(all[5], 2))
	again := one(4, large)
	ws.keep(again, 2)
	require.False(t, kept(all[4], 2))
	require.True(t, kept(again, 2))
	huge := one(101, wholesKept+1)
	ws.keep(huge, 2)
	require.True(t, kept(huge, 2))
	require.Len(t, ws.list, 1)
	for i := range wholesMax + 5 {
		ws.keep(one(byte(i), 1), 2)
	}
	require.Len(t, ws.list, wholesMax)
	w := one(102, 1)
	ws.keep(w, 1)
	for tick := int64(1); tick < wholeLife; tick += wholeTicks - 1 {
		require.True(t, kept(w, tick), "a listing goes on, tick %d", tick)
		ws.expire(tick)
	}
	ws.expire(1 + wholeLife)
	require.Empty(t, ws.list)
}
