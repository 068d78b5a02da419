package v4

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

func getxattr(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_GETXATTR, Opgetxattr: nfs4.GETXATTR4args{GxaName: nfs4.Xattrkey4(name)}}
}

func setxattr(name, value string, how nfs4.SetxattrOption4) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_SETXATTR, Opsetxattr: nfs4.SETXATTR4args{
		SxaOption: how, SxaKey: nfs4.Xattrkey4(name), SxaValue: nfs4.Xattrvalue4(value),
	}}
}

func listxattrs(cookie uint64, most uint32) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_LISTXATTRS, Oplistxattrs: nfs4.LISTXATTRS4args{
		LxaCookie: nfs4.NfsCookie4(cookie), LxaMaxcount: nfs4.Count4(most),
	}}
}

func removexattr(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_REMOVEXATTR,
		Opremovexattr: nfs4.REMOVEXATTR4args{RxaName: nfs4.Xattrkey4(name)}}
}

func TestExtendedAttributesAreSetReadAndRemoved(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	at := walk("x", "f")
	d.fails(nfs4.NFS4ERR_NOXATTR, append(at, getxattr("a"))...)
	d.fails(nfs4.NFS4ERR_NOXATTR, append(at, removexattr("a"))...)
	d.fails(nfs4.NFS4ERR_NOXATTR, append(at, setxattr("a", "1", nfs4.SETXATTR4_REPLACE))...)
	info := d.ok(append(at, setxattr("a", "1", nfs4.SETXATTR4_CREATE))...)[3].Opsetxattr.SxrInfo
	require.False(t, info.Atomic)
	require.Less(t, info.Before, info.After)
	d.fails(nfs4.NFS4ERR_EXIST, append(at, setxattr("a", "2", nfs4.SETXATTR4_CREATE))...)
	for _, n := range []int{0, 1, 2, 3, 4, 5000, 65536} {
		value := strings.Repeat("v", n)
		d.ok(append(at, setxattr("a", value, nfs4.SETXATTR4_EITHER))...)
		res := d.ok(append(at, getxattr("a"), getfh())...)
		require.True(t, value == string(res[3].Opgetxattr.GxrValue), "%d bytes", n)
	}
	d.fails(nfs4.NFS4ERR_XATTR2BIG, append(at, setxattr("a", strings.Repeat("v", 65537),
		nfs4.SETXATTR4_EITHER))...)
	for name, st := range map[string]nfs4.Nfsstat4{
		"": nfs4.NFS4ERR_INVAL, strings.Repeat("n", 251): nfs4.NFS4ERR_NAMETOOLONG,
		"a\x00b": nfs4.NFS4ERR_BADCHAR,
	} {
		for _, op := range []nfs4.NfsArgop4{getxattr(name), setxattr(name, "1", 0), removexattr(name)} {
			d.fails(st, append(at, op)...)
		}
	}
	long := strings.Repeat("n", 250)
	d.ok(append(at, setxattr(long, "1", 0), getxattr(long), removexattr(long), removexattr("a"))...)
	d.fails(nfs4.NFS4ERR_NOTSUPP, append(walk(), getxattr("a"))...)
	res := d.ok(append(at, getattr(nfs4.FATTR4_XATTR_SUPPORT, nfs4.FATTR4_CLONE_BLKSIZE))...)
	require.EqualValues(t, []byte{0, 0, 16, 0, 0, 0, 0, 1}, res[3].Opgetattr.Resok4.ObjAttributes.AttrVals)
	res = d.ok(append(walk(), getattr(nfs4.FATTR4_XATTR_SUPPORT, nfs4.FATTR4_CLONE_BLKSIZE))...)
	require.EqualValues(t, []byte{0, 0, 0, 0}, res[1].Opgetattr.Resok4.ObjAttributes.AttrVals,
		"nothing is cloned there")
}

func TestExtendedAttributesAreListedInPagesOfEverySize(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "")
	d.file("empty", "")
	d.ok(append(walk("x", "empty"), listxattrs(0, 16))...)
	var want []string
	for i := range 40 {
		want = append(want, fmt.Sprintf("%02d%s", i*7%40, strings.Repeat("n", i*5)))
		d.ok(append(walk("x", "f"), setxattr(want[i], "v", 0))...)
	}
	whole := d.ok(append(walk("x", "f"), listxattrs(0, 100_000))...)[3].Oplistxattrs.LxrValue
	require.True(t, whole.LxrEof)
	var order []string
	for _, name := range whole.LxrNames {
		order = append(order, string(name))
	}
	require.ElementsMatch(t, want, order)
	want = order
	for most := uint32(0); most <= 600; most++ {
		var got []string
		cookie := uint64(0)
		for {
			res := d.try(append(walk("x", "f"), listxattrs(cookie, most))...)
			if res.Status != nfs4.NFS4_OK {
				require.Equal(t, nfs4.NFS4ERR_TOOSMALL, res.Status)
				next := "" // must not fit, indeed
				if len(got) < len(want) {
					next = want[len(got)]
				}
				require.Less(t, int(most), 16+4+(len(next)+3)&^3)
				break
			}
			page := res.Resarray[4].Oplistxattrs.LxrValue
			bytesOf := 16
			for _, name := range page.LxrNames {
				got = append(got, string(name))
				bytesOf += 4 + (len(name)+3)&^3
			}
			require.LessOrEqual(t, bytesOf, int(most))
			cookie = uint64(page.LxrCookie)
			if page.LxrEof {
				require.Equal(t, want, got, "pages of %d bytes", most)
				break
			}
			require.NotEmpty(t, page.LxrNames, "no page is empty")
		}
	}
	d.ok(append(walk("x", "f"), listxattrs(1<<63, 1000))...)
}

// Names that are there throughout are listed once each, whatever comes and goes between the pages.
func TestExtendedAttributesAreListedOnceWhileOthersComeAndGo(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "")
	at := walk("x", "f")
	for i := range 40 {
		d.ok(append(at, setxattr(fmt.Sprint("keep", i), "v", 0), setxattr(fmt.Sprint("go", i), "v", 0))...)
	}
	seen := map[string]int{}
	cookie, gone := uint64(0), 0
	for eof := false; !eof; gone++ {
		res := d.ok(append(at, listxattrs(cookie, 60))...)
		page := res[3].Oplistxattrs.LxrValue
		for _, name := range page.LxrNames {
			seen[string(name)]++
		}
		cookie, eof = uint64(page.LxrCookie), page.LxrEof
		if gone < 40 {
			name := fmt.Sprint("go", gone)
			d.ok(append(at, removexattr(name), setxattr("come-"+name, "v", 0))...)
		}
	}
	require.Greater(t, gone, 20, "pages")
	for i := range 40 {
		require.Equal(t, 1, seen[fmt.Sprint("keep", i)], "keep%d", i)
	}
}

func TestAccessTellsOfExtendedAttributes(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "")
	all := uint32(nfs4.ACCESS4_XAREAD | nfs4.ACCESS4_XAWRITE | nfs4.ACCESS4_XALIST)
	access := func() nfs4.ACCESS4resok {
		op := nfs4.NfsArgop4{Argop: nfs4.OP_ACCESS, Opaccess: nfs4.ACCESS4args{Access: all}}
		return d.ok(append(walk("x", "f"), op)...)[3].Opaccess.Resok4
	}
	d.r.uid, d.r.gid = 1000, 1000
	require.Equal(t, nfs4.ACCESS4resok{Supported: all, Access: all}, access())
	d.r.minor = 1
	require.Equal(t, nfs4.ACCESS4resok{}, access(), "which earlier versions do not know")
	d.r.minor = 2
	d.r.uid = 0
	d.ok(append(walk("x", "f"), nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{
		ObjAttributes: nfs4.Fattr4{Attrmask: bitsOf(nfs4.FATTR4_MODE),
			AttrVals: []byte{0, 0, 0o444 >> 8, 0o444 & 0xff}},
	}})...)
	d.r.uid = 1000
	require.Equal(t, nfs4.ACCESS4resok{Supported: all,
		Access: nfs4.ACCESS4_XAREAD | nfs4.ACCESS4_XALIST}, access())
}
