package translate_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestTimesOutsideTheProtocolsRangeAreClipped(t *testing.T) {
	for _, c := range []struct {
		name      string
		in        vfs.Time
		sec, nsec uint32
	}{
		{"the epoch", vfs.Time{}, 0, 0},
		{"before it", vfs.Time{Sec: -1, Nsec: 5}, 0, 0},
		{"beyond 2038", vfs.Time{Sec: 1 << 31, Nsec: 5}, 1 << 31, 5},
		{"the last one", vfs.Time{Sec: math.MaxUint32, Nsec: 999_999_999}, math.MaxUint32, 999_999_999},
		{"beyond the last one", vfs.Time{Sec: math.MaxUint32 + 1}, math.MaxUint32, 999_999_999},
	} {
		t.Run(c.name, func(t *testing.T) {
			require.Equal(t, nfs3.Nfstime3{Seconds: c.sec, Nseconds: c.nsec}, translate.Time(c.in))
		})
	}
}

// The numbers of RFC 1813, written out: conversions rely on vfs having the same.
func TestNumbersOfVFSAreThoseOfTheProtocol(t *testing.T) {
	require.Equal(t, []uint8{1, 2, 3, 4, 5, 6, 7}, []uint8{
		uint8(
			vfs.TypeReg,
		), uint8(vfs.TypeDir), uint8(vfs.TypeBlk), uint8(vfs.TypeChr), uint8(vfs.TypeLnk), uint8(vfs.TypeSock), uint8(vfs.TypeFifo),
	})
	require.Equal(
		t,
		[]uint8{0, 1, 2},
		[]uint8{uint8(vfs.TimeKeep), uint8(vfs.TimeServer), uint8(vfs.TimeClient)},
	)
	require.Equal(
		t,
		[]uint8{0, 1, 2},
		[]uint8{uint8(vfs.Unchecked), uint8(vfs.Guarded), uint8(vfs.Exclusive)},
	)
	require.Equal(t, []uint8{0, 1, 2}, []uint8{uint8(vfs.Unstable), uint8(vfs.DataSync), uint8(vfs.FileSync)})
}

func TestAttributesKeepTheirPlaces(t *testing.T) {
	a := vfs.Attr{
		Mask: vfs.AttrBasic, Type: vfs.TypeChr, Mode: 1, Nlink: 2, UID: 3, GID: 4, Size: 5, Used: 6,
		Major: 7, Minor: 8, FSID: 9, FileID: 10,
		Atime: vfs.Time{
			Sec:  11,
			Nsec: 12,
		}, Mtime: vfs.Time{Sec: 13, Nsec: 14}, Ctime: vfs.Time{Sec: 15, Nsec: 16},
	}
	want := nfs3.Fattr3{
		Type: nfs3.NF3CHR, Mode: 1, Nlink: 2, Uid: 3, Gid: 4, Size: 5, Used: 6,
		Rdev: nfs3.Specdata3{Specdata1: 7, Specdata2: 8}, Fsid: 9, Fileid: 10,
		Atime: nfs3.Nfstime3{
			Seconds:  11,
			Nseconds: 12,
		}, Mtime: nfs3.Nfstime3{Seconds: 13, Nseconds: 14}, Ctime: nfs3.Nfstime3{Seconds: 15, Nseconds: 16},
	}
	require.Equal(t, want, attrOf(&a))
	require.Equal(t, nfs3.PostOpAttr{AttributesFollow: true, Attributes: want}, postOp(&a))
	w := vfs.WCC{
		HasBefore: true,
		Before: vfs.Before{
			Size:  20,
			Mtime: vfs.Time{Sec: 21, Nsec: 22},
			Ctime: vfs.Time{Sec: 23, Nsec: 24},
		},
		After: a,
	}
	require.Equal(t, nfs3.WccData{
		Before: nfs3.PreOpAttr{AttributesFollow: true, Attributes: nfs3.WccAttr{
			Size: 20, Mtime: nfs3.Nfstime3{Seconds: 21, Nseconds: 22},
			Ctime: nfs3.Nfstime3{Seconds: 23, Nseconds: 24},
		}},
		After: nfs3.PostOpAttr{AttributesFollow: true, Attributes: want},
	}, wccOf(&w))
	a.Mask, w.HasBefore, w.After.Mask = 0, false, 0
	require.Equal(t, nfs3.PostOpAttr{}, postOp(&a), "what is not there is not sent")
	require.Equal(t, nfs3.WccData{}, wccOf(&w))
}

func TestAttributesToSetKeepTheirPlaces(t *testing.T) {
	s := nfs3.Sattr3{
		Mode: nfs3.SetMode3{
			SetIt: true,
			Mode:  1,
		}, Uid: nfs3.SetUid3{SetIt: true, Uid: 2}, Gid: nfs3.SetGid3{SetIt: true, Gid: 3},
		Size: nfs3.SetSize3{SetIt: true, Size: 4},
		Atime: nfs3.SetAtime{
			SetIt: nfs3.SET_TO_CLIENT_TIME,
			Atime: nfs3.Nfstime3{Seconds: 1<<32 - 1, Nseconds: 6},
		},
		Mtime: nfs3.SetMtime{SetIt: nfs3.SET_TO_SERVER_TIME},
	}
	require.Equal(t, vfs.SetAttr{
		HasMode: true, Mode: 1, HasUID: true, UID: 2, HasGID: true, GID: 3, HasSize: true, Size: 4,
		AtimeHow: vfs.TimeClient, Atime: vfs.Time{Sec: 1<<32 - 1, Nsec: 6}, MtimeHow: vfs.TimeServer,
	}, translate.SetAttr(&s))
	require.Equal(t, vfs.SetAttr{}, translate.SetAttr(&nfs3.Sattr3{}))
}

func TestAnUnknownStatusIsTheServersFault(t *testing.T) {
	require.Equal(t, nfs3.NFS3ERR_SERVERFAULT, translate.Status(vfs.NumStatus))
	require.Equal(t, nfs3.NFS3ERR_SERVERFAULT, translate.Status(255))
	for st := range vfs.NumStatus {
		require.True(t, translate.Status(st).Valid(), "%v", st)
		require.Equal(t, st == vfs.OK, translate.Status(st) == nfs3.NFS3_OK, "%v", st)
	}
}

func attrOf(a *vfs.Attr) (f nfs3.Fattr3) {
	translate.Attr(&f, a)
	return f
}

func postOp(a *vfs.Attr) (p nfs3.PostOpAttr) {
	translate.PostOp(&p, a)
	return p
}

func wccOf(w *vfs.WCC) (d nfs3.WccData) {
	translate.WCC(&d, w)
	return d
}
