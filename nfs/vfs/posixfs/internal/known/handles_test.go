package known

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
)

// start is when a test's clock begins.
var start = time.Unix(1_700_000_000, 10_000_000)

// born makes the attributes of an object with the birth time.
func born(at time.Time) *unix.Statx_t {
	return &unix.Statx_t{
		Ino: 7, Mask: unix.STATX_BTIME,
		Btime: unix.StatxTimestamp{Sec: at.Unix(), Nsec: uint32(at.Nanosecond())},
	}
}

func handleOf(t *testing.T, b ...byte) vfs.Handle {
	t.Helper()
	h, fits := vfs.MakeHandle(b)
	require.True(t, fits)
	return h
}

// The kernel may give the number of a younger object to another one with the same birth time.
func TestOnlyAnObjectOf50MillisecondsHasAKeyOfItsOwn(t *testing.T) {
	var m Handles
	var k Moment
	m.begin(&k, start, 0)
	for age, own := range map[time.Duration]bool{
		-1: false, 0: false, 50*time.Millisecond - 1: false, 50 * time.Millisecond: false,
		50*time.Millisecond + 1: true, time.Hour: true,
	} {
		require.Equal(t, own, k.Own(born(start.Add(-age))), age)
	}
	untold := born(start.Add(-time.Hour))
	untold.Mask = 0
	require.False(t, k.Own(untold), "one whose birth is not told")
}

func TestAHandleIsKnownAsLongAsItsObjectIsTheSame(t *testing.T) {
	var m Handles
	m.Init()
	var k Moment
	st := born(start)
	key, h := kernel.KeyOf(st), handleOf(t, []byte("handle")...)
	m.Begin(&k)
	require.Nil(t, k.Find(&key, st))
	require.True(t, k.Own(st))
	k.Add(&key, st, &h)
	k.End()
	m.Begin(&k)
	require.Equal(t, &h, k.Find(&key, st))
	changed := *st
	changed.Ctime.Nsec++
	require.Nil(t, k.Find(&key, &changed), "its generation may have been changed")
	younger := born(start.Add(1))
	other := kernel.KeyOf(younger)
	require.Equal(t, key.Hash(), other.Hash(), "the test shows nothing")
	require.Nil(t, k.Find(&other, younger), "its number was given to another one")
	next := handleOf(t, []byte("next")...)
	k.Add(&key, &changed, &next)
	require.Equal(t, &next, k.Find(&key, &changed))
	require.Nil(t, k.Find(&key, st), "an object has one handle")
}

func TestObjectsWithOneHashAreToldApart(t *testing.T) {
	var m Handles
	var k Moment
	m.begin(&k, start, 0)
	keys, sts := make([]kernel.ObjectKey, 4), make([]*unix.Statx_t, 4)
	for i := range keys {
		sts[i] = born(start.Add(-time.Hour * time.Duration(i+1)))
		keys[i] = kernel.KeyOf(sts[i])
		require.Equal(t, keys[0].Hash(), keys[i].Hash(), "the test shows nothing")
		h := handleOf(t, byte(i))
		k.Add(&keys[i], sts[i], &h)
	}
	for i := range keys {
		h := handleOf(t, byte(i))
		require.Equal(t, &h, k.Find(&keys[i], sts[i]), i)
	}
}

func TestHandlesAreForgottenWhenTheClockIsSetBack(t *testing.T) {
	for back, kept := range map[time.Duration]bool{
		-time.Hour: true, 0: true, 20*time.Millisecond - 1: true,
		20 * time.Millisecond: false, time.Second: false,
	} {
		var m Handles
		var k Moment
		st := born(start.Add(-2 * time.Hour))
		key, h := kernel.KeyOf(st), handleOf(t, 1)
		m.begin(&k, start, 0)
		k.Add(&key, st, &h)
		m.begin(&k, start.Add(time.Minute), time.Minute) // time goes by
		require.NotNil(t, k.Find(&key, st))
		const since = 2 * time.Minute
		m.begin(&k, start.Add(since-back), since)
		require.Equal(t, kept, k.Find(&key, st) != nil, "set back by %v", back)
		k.Add(&key, st, &h)
		m.begin(&k, start.Add(since-back), since)
		require.NotNil(t, k.Find(&key, st), "it is forgotten once")
	}
}

// Somebody may set the clock back while an operation runs. The keys that the operation adds may
// come again.
func TestWhatIsAddedAfterTheClockWasSetBackIsLost(t *testing.T) {
	var m Handles
	var before, after Moment
	st := born(start.Add(-time.Hour))
	key, h := kernel.KeyOf(st), handleOf(t, 1)
	m.begin(&before, start, 0)
	m.begin(&after, start.Add(-time.Second), 0)
	before.Add(&key, st, &h)
	require.Nil(t, after.Find(&key, st))
	m.begin(&after, start.Add(-time.Second), 0)
	require.Nil(t, after.Find(&key, st))
}

// The kinds are those of enum fid_type of the kernel.
func TestNumbersInHandles(t *testing.T) {
	for kind, wide := range map[uint32]bool{0x1: false, 0x2: false, 0x81: true, 0x82: true} {
		b := binary.LittleEndian.AppendUint32(nil, kind)
		b = binary.NativeEndian.AppendUint64(b, 0x1122334455667788)
		short, fits := vfs.MakeHandle(b[:11])
		require.True(t, fits)
		_, ok := NumberIn(&short)
		require.False(t, ok, "%#x", kind)
		h := handleOf(t, b...)
		ino, ok := NumberIn(&h)
		require.True(t, ok, "%#x", kind)
		if wide {
			require.EqualValues(t, 0x1122334455667788, ino)
		} else {
			require.Equal(t, uint64(binary.NativeEndian.Uint32(b[4:])), ino)
		}
	}
	for _, kind := range []uint32{0, 0x3, 0x4d, 0x80, 0x83, 0xf8, 0x73747562} {
		h := handleOf(t, append(binary.LittleEndian.AppendUint32(nil, kind), make([]byte, 8)...)...)
		_, ok := NumberIn(&h)
		require.False(t, ok, "%#x", kind)
	}
}
