package v4

import (
	"encoding/binary"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// Two changes within a tick have one ctime where stamps are as coarse as that. Who has seen the
// first finds another change attribute nevertheless, as soon as the tick is over.
func TestAChangeWithinATickIsSeenAfterIt(t *testing.T) {
	now := time.Unix(1_700_000_000, 10_000_000)
	clock := func() time.Time { return now }
	fs := memfs.New(memfs.Config{Mode: 0o777, Now: clock, Tick: 10 * time.Millisecond})
	cfg := remembers(new(uint32))
	cfg.Clock = clock
	r := newRig(t, cfg, export.Export{Path: "/x", FS: fs})
	see := func() uint64 {
		b := r.ok(append(walk("x"), getattr(nfs4.FATTR4_CHANGE))...)[2].Opgetattr.Resok4.ObjAttributes.AttrVals
		return binary.BigEndian.Uint64(b)
	}
	info := func(name string) *nfs4.ChangeInfo4 {
		res := r.ok(append(walk("x"), mkdir(name))...)
		return &res[2].Opcreate.Resok4.Cinfo
	}
	r.ok(append(walk("x"), mkdir("one"))...)
	first := see()
	r.ok(append(walk("x"), mkdir("two"))...)
	require.Equal(t, first, see(), "the ctime is the same")
	now = now.Add(20 * time.Millisecond)
	require.Equal(t, first, see(), "a change may still get it")
	now = now.Add(time.Nanosecond)
	settled := see()
	require.NotEqual(t, first, settled)
	now = now.Add(time.Hour)
	require.Equal(t, settled, see())
	c := info("three")
	require.EqualValues(t, settled, c.Before, "what a client knows of the directory")
	require.EqualValues(t, see(), c.After)
	require.NotEqual(t, c.Before, c.After)
	require.False(t, c.Atomic)
}

func TestTheKindOfTheChangeAttributeIsTold(t *testing.T) {
	kind := func(tick time.Duration) nfs4.ChangeAttrType4 {
		fs := memfs.New(memfs.Config{Mode: 0o777, Tick: tick})
		r := newRig(t, remembers(new(uint32)), export.Export{Path: "/x", FS: fs})
		s := r.session("me")
		r.minor = 2
		res := r.ok(in(s.sequence(), append(walk("x"), getattr(nfs4.FATTR4_CHANGE_ATTR_TYPE))...)...)
		return nfs4.ChangeAttrType4(binary.BigEndian.Uint32(res[3].Opgetattr.Resok4.ObjAttributes.AttrVals))
	}
	require.Equal(t, nfs4.NFS4_CHANGE_TYPE_IS_TIME_METADATA, kind(0))
	require.Equal(t, nfs4.NFS4_CHANGE_TYPE_IS_UNDEFINED, kind(time.Millisecond))
}

// A ctime of whole seconds may be a file system's that keeps no more, or one by chance.
func TestAChangeAttributeOfWholeSecondsKeepsTheOrder(t *testing.T) {
	at := vfs.Time{Sec: 1_700_000_000}
	now := time.Unix(at.Sec, 0)
	s := server{cfg: Config{Clock: func() time.Time { return now }}}
	c := at.Change()
	require.Equal(t, c, s.ofCtime(at, s.cfg.Clock))
	now = now.Add(2020 * time.Millisecond)
	require.Equal(t, c, s.ofCtime(at, s.cfg.Clock))
	now = now.Add(time.Nanosecond)
	require.Equal(t, c+1, s.ofCtime(at, s.cfg.Clock))
	require.Less(t, c+1, s.change(&vfs.Attr{Mask: vfs.AttrChange, Change: c + 2}, s.cfg.Clock))
}

// A ctime that is long settled does not have the clock asked again, whatever the lanes do.
func TestTheClockIsAskedForYoungCtimesOnly(t *testing.T) {
	now, asked := time.Unix(1000, 0), 0
	s := server{cfg: Config{Clock: func() time.Time { asked++; return now }}}
	settled := func(sec int64) bool { return s.settled(vfs.Time{Sec: sec, Nsec: 1}, tickSettled, s.cfg.Clock) }
	require.True(t, settled(990))
	require.Equal(t, 1, asked, "nobody has asked before")
	require.True(t, settled(995))
	require.Equal(t, 1, asked)
	require.True(t, settled(996))
	require.Equal(t, 2, asked, "it is not certain of this one")
	require.False(t, settled(1000))
	now = time.Unix(1001, 0)
	require.True(t, settled(1000))
	require.Equal(t, 4, asked)
	require.True(t, settled(996), "the time has been noted")
	require.Equal(t, 4, asked)
	now = time.Unix(500, 0) // somebody has set the clock back
	require.False(t, settled(1000))
	require.False(t, settled(500))
	require.True(t, settled(495))
}

// A lane judges the ctimes of one epoch by one look at the clock: it is no later than the looks at
// the objects, so no change attribute counts as settled too early.
func TestALaneAsksTheClockOnceInAnEpoch(t *testing.T) {
	now, asked := time.Unix(1_700_000_000, 10_000_000), 0
	cfg := remembers(new(uint32))
	cfg.Clock = func() time.Time { asked++; return now }
	fs := memfs.New(memfs.Config{Mode: 0o777, Now: func() time.Time { return now }, Tick: time.Millisecond})
	r := newRig(t, cfg, export.Export{Path: "/x", FS: fs})
	see := func(epoch uint64) (change uint64, asks int) {
		r.places[0].Thread.Epoch = epoch
		before := asked
		b := r.ok(append(walk("x"), getattr(nfs4.FATTR4_CHANGE))...)[2].Opgetattr.Resok4.ObjAttributes.AttrVals
		return binary.BigEndian.Uint64(b), asked - before
	}
	first, asks := see(1)
	require.Equal(t, 1, asks)
	now = now.Add(time.Second)
	again, asks := see(1)
	require.Zero(t, asks)
	require.Equal(t, first, again, "it is not settled yet, as far as this epoch knows")
	settled, asks := see(2)
	require.Equal(t, 1, asks)
	require.NotEqual(t, first, settled)
}
