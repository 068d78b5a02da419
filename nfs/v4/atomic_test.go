package v4

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// A change is atomic for a client if the back end says so and the value from before can be that of
// one state only.
func TestOnlyAValueOfOneStateIsAtomic(t *testing.T) {
	at := time.Unix(1_700_000_000, 500_000_000)
	s := &server{}
	whole := vfs.Time{Sec: at.Unix() - 3}
	old, young := vfs.Time{Sec: at.Unix(), Nsec: 479_999_999}, vfs.Time{Sec: at.Unix(), Nsec: 480_000_000}
	for _, x := range []struct {
		what          string
		alone, before bool
		has           bool // real change attributes
		ctime         vfs.Time
		mask          vfs.AttrMask
		want          bool
	}{
		{"settled", true, true, false, old, vfs.AttrBasic, true},
		{"not settled", true, true, false, young, vfs.AttrBasic, false},
		{"whole seconds", true, true, false, whole, vfs.AttrBasic, true},
		{"young whole seconds", true, true, false, vfs.Time{Sec: at.Unix() - 1}, vfs.AttrBasic, false},
		{"change attributes", true, true, true, young, vfs.AttrBasic | vfs.AttrChange, true},
		{"one of two", true, true, true, old, vfs.AttrBasic, false},
		{"the other", true, true, false, old, vfs.AttrBasic | vfs.AttrChange, false},
		{"others may change it", false, true, true, old, vfs.AttrBasic | vfs.AttrChange, false},
		{"no before", true, false, true, old, vfs.AttrBasic | vfs.AttrChange, false},
		{"no after", true, true, true, old, 0, false},
	} {
		w := &vfs.WCC{
			HasBefore: x.before, Atomic: x.alone,
			Before: vfs.Before{Ctime: x.ctime, HasChange: x.has},
			After:  vfs.Attr{Mask: x.mask, Ctime: vfs.Time{Sec: at.Unix(), Nsec: 1}},
		}
		require.Equal(t, x.want, s.atomic(w, func() time.Time { return at }), x.what)
	}
}
