package v4

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/idmap"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

func writeOp(id nfs4.Stateid4, off uint64, data string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{
		Stateid: id, Offset: nfs4.Offset4(off), Data: []byte(data),
	}}
}

// sizeOf is the size that the last operation, a GETATTR of it, has got.
func sizeOf(t *testing.T, res []nfs4.NfsResop4) uint64 {
	var d xdr.Decoder
	d.Reset(res[len(res)-1].Opgetattr.Resok4.ObjAttributes.AttrVals)
	size := d.Uint64()
	require.NoError(t, d.Err())
	return size
}

// GETATTR asks the back end only when the operation before it has not told the attributes.
func TestAttributesThatAreKnownAreNotAskedForAgain(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "12345")
	d.file("other", "1")
	size := getattr(nfs4.FATTR4_SIZE)
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 3}}
	access := nfs4.NfsArgop4{Argop: nfs4.OP_ACCESS, Opaccess: nfs4.ACCESS4args{Access: nfs4.ACCESS4_READ}}
	empty := nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{
		ObjAttributes: nfs4.Fattr4{Attrmask: bitsOf(nfs4.FATTR4_SIZE), AttrVals: make([]byte, 8)},
	}}
	for _, c := range []struct {
		does string
		ops  []nfs4.NfsArgop4
		size uint64
		asks int
	}{
		{"LOOKUP", []nfs4.NfsArgop4{size}, 5, 0},
		{"LOOKUP and GETFH", []nfs4.NfsArgop4{getfh(), size}, 5, 0},
		{"READ", []nfs4.NfsArgop4{read, size}, 5, 0},
		{"ACCESS", []nfs4.NfsArgop4{access, size}, 5, 0},
		{"WRITE", []nfs4.NfsArgop4{writeOp(anonymous, 5, "67"), size}, 7, 0},
		{"WRITE, and GETATTR twice", []nfs4.NfsArgop4{writeOp(anonymous, 7, "8"), size, size}, 8, 1},
		{"WRITE, and another file", append(append([]nfs4.NfsArgop4{writeOp(anonymous, 0, "1")},
			walk("x", "other")...), size), 1, 0},
		{"WRITE, and a directory", append(append([]nfs4.NfsArgop4{writeOp(anonymous, 0, "1")},
			putroot(), lookup("x"), lookupp()), getattr(nfs4.FATTR4_TYPE)), 0, 0},
		{"READ, saved and restored", []nfs4.NfsArgop4{read, savefh(), {Argop: nfs4.OP_RESTOREFH}, size}, 8, 1},
		{"READ, and SETATTR", []nfs4.NfsArgop4{read, empty, size}, 0, 0},
		{"GETFH alone", []nfs4.NfsArgop4{savefh(), getfh(), size}, 0, 1},
	} {
		before := d.fs.Count(faultfs.GetAttr)
		res := d.ok(append(walk("x", "f"), c.ops...)...)
		require.Equal(t, c.asks, d.fs.Count(faultfs.GetAttr)-before, c.does)
		if c.ops[len(c.ops)-1].Opgetattr.AttrRequest[0] == size.Opgetattr.AttrRequest[0] {
			require.Equal(t, c.size, sizeOf(t, res), c.does)
		}
	}
}

// What is made, opened, or found above tells its attributes, too: the first of two GETATTRs does
// not ask, and says what the second one finds. OPEN itself asks whether its file is still there.
func TestAttributesOfWhatIsMadeOrOpenedAreKnown(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "12345")
	open := func(how nfs4.Opentype4, name string, attrs nfs4.Fattr4) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
			ShareAccess: nfs4.OPEN4_SHARE_ACCESS_BOTH, Owner: nfs4.OpenOwner4{Owner: []byte("o")},
			Openhow: nfs4.Openflag4{Opentype: how, How: nfs4.Createhow4{Createattrs: attrs}},
			Claim:   nfs4.OpenClaim4{File: nfs4.Component4(name)},
		}}
	}
	none := nfs4.Fattr4{}
	cut := nfs4.Fattr4{Attrmask: bitsOf(nfs4.FATTR4_SIZE), AttrVals: make([]byte, 8)}
	mode := nfs4.Fattr4{Attrmask: bitsOf(nfs4.FATTR4_MODE), AttrVals: []byte{0, 0, 1, 0o244}}
	for _, c := range []struct {
		does string
		ops  []nfs4.NfsArgop4
		asks int
	}{
		{"CREATE", []nfs4.NfsArgop4{mkdir("d"), getfh()}, 0},
		{"OPEN of a file that is there", []nfs4.NfsArgop4{open(nfs4.OPEN4_NOCREATE, "f", none), getfh()}, 1},
		{"OPEN that makes a file", []nfs4.NfsArgop4{open(nfs4.OPEN4_CREATE, "g", mode), getfh()}, 1},
		{"OPEN that cuts a file", []nfs4.NfsArgop4{open(nfs4.OPEN4_CREATE, "f", cut), getfh()}, 1},
		{"LOOKUPP", []nfs4.NfsArgop4{lookup("d"), lookupp()}, 0},
	} {
		all := getattr(nfs4.FATTR4_TYPE, nfs4.FATTR4_SIZE, nfs4.FATTR4_FILEID, nfs4.FATTR4_MODE,
			nfs4.FATTR4_NUMLINKS, nfs4.FATTR4_TIME_METADATA, nfs4.FATTR4_TIME_MODIFY)
		before := d.fs.Count(faultfs.GetAttr)
		res := d.ok(append(append(walk("x"), c.ops...), all, all)...)
		require.Equal(t, c.asks+1, d.fs.Count(faultfs.GetAttr)-before, c.does)
		require.Equal(t, res[len(res)-1], res[len(res)-2], c.does)
	}
}

// A compound that is suspended before GETATTR goes on elsewhere, and asks there.
func TestAttributesAreForgottenWhenACompoundIsSuspended(t *testing.T) {
	d := newData(t, nil)
	d.file("f", strings.Repeat("x", 2000))
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1500}}
	before := d.fs.Count(faultfs.GetAttr)
	res := d.ok(append(walk("x", "f"), read, getattr(nfs4.FATTR4_SIZE))...)
	require.Greater(t, d.r.grows, 1, "READ gets the memory that it needs, and no more")
	require.EqualValues(t, 2000, sizeOf(t, res))
	require.Equal(t, 1, d.fs.Count(faultfs.GetAttr)-before)
}

func TestLinuxsAttributesAreThoseOfTheTable(t *testing.T) {
	full := []int{
		nfs4.FATTR4_TYPE, nfs4.FATTR4_CHANGE, nfs4.FATTR4_SIZE, nfs4.FATTR4_FSID, nfs4.FATTR4_FILEID,
		nfs4.FATTR4_MODE, nfs4.FATTR4_NUMLINKS, nfs4.FATTR4_OWNER, nfs4.FATTR4_OWNER_GROUP, nfs4.FATTR4_RAWDEV,
		nfs4.FATTR4_SPACE_USED, nfs4.FATTR4_TIME_ACCESS, nfs4.FATTR4_TIME_METADATA, nfs4.FATTR4_TIME_MODIFY,
		nfs4.FATTR4_MOUNTED_ON_FILEID,
	}
	// As captured.
	require.Equal(t, nfs4.Bitmap4{0x0010011a, 0x00b0a23a}, bitsOf(full...))
	born := append(slices.Clone(full), nfs4.FATTR4_TIME_CREATE)
	require.Equal(t, nfs4.Bitmap4{0x0010011a, 0x00b4a23a}, bitsOf(born...))

	attr := vfs.Attr{
		Mask: vfs.AttrBasic | vfs.AttrChange | vfs.AttrBirth, Type: vfs.TypeBlk, Mode: 0o4751, Nlink: 0x01020304,
		UID: 4294967294, GID: 7, Size: 0x1122334455667788, Used: 0x2122334455667788, Major: 0x31323334,
		Minor: 0x41424344, FSID: 0x5152535455565758, FileID: 0x6162636465666768,
		Atime: vfs.Time{Sec: -1, Nsec: 2}, Mtime: vfs.Time{Sec: 3, Nsec: 4}, Ctime: vfs.Time{Sec: 1 << 40, Nsec: 6},
		Change: 0x7172737475767778, Birth: vfs.Time{Sec: 8, Nsec: 9},
	}
	for _, mask := range []vfs.AttrMask{
		vfs.AttrBasic, vfs.AttrBasic | vfs.AttrChange, vfs.AttrBasic | vfs.AttrBirth, attr.Mask,
	} {
		for _, list := range [][]int{full, born} {
			a := attr
			a.Mask = mask
			v := values{
				s: newServer(&export.Table{}, remembers(new(uint32))), attr: &a, minor: 2,
				fsid: [2]uint64{10, 11}, mounted: 12, digits: new([idmap.OwnerMax]byte), clock: time.Now,
			}
			var want bitmap
			for _, n := range list {
				want.add(n)
			}
			require.True(t, want.ofLinux())
			got := encoded(t, func(e *xdr.Encoder) { v.encode(e, want) })
			// One attribute more, and the table writes them all: the last one there is.
			more := want
			more.add(nfs4.FATTR4_SUPPATTR_EXCLCREAT)
			require.False(t, more.ofLinux())
			var table nfs4.Fattr4
			require.NoError(t, decodeAll(encoded(t, func(e *xdr.Encoder) { v.encode(e, more) }), &table))
			extra := encoded(t, func(e *xdr.Encoder) { b := exclusive[2]; b.encode(e) })
			var straight nfs4.Fattr4
			require.NoError(t, decodeAll(got, &straight))
			require.Equal(t, []uint32(table.Attrmask[:2]), []uint32(straight.Attrmask))
			require.Equal(t, string(table.AttrVals[:len(table.AttrVals)-len(extra)]), string(straight.AttrVals))
		}
	}
	// Memory that is too short is found out in both pieces.
	for size := range 164 {
		v := values{
			s: newServer(&export.Table{}, remembers(new(uint32))), attr: &attr, minor: 2,
			digits: new([idmap.OwnerMax]byte), clock: time.Now,
		}
		var e xdr.Encoder
		e.Reset(make([]byte, size))
		v.encodeLinux(&e, true)
		require.Error(t, e.Err(), size)
	}
}

// What GETATTR writes straight is what it writes by the table, which one attribute more leads to.
func TestAStraightGetattrSaysWhatTheTableSays(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "12345")
	full := []int{
		nfs4.FATTR4_TYPE, nfs4.FATTR4_CHANGE, nfs4.FATTR4_SIZE, nfs4.FATTR4_FSID, nfs4.FATTR4_FILEID,
		nfs4.FATTR4_MODE, nfs4.FATTR4_NUMLINKS, nfs4.FATTR4_OWNER, nfs4.FATTR4_OWNER_GROUP, nfs4.FATTR4_RAWDEV,
		nfs4.FATTR4_SPACE_USED, nfs4.FATTR4_TIME_ACCESS, nfs4.FATTR4_TIME_METADATA, nfs4.FATTR4_TIME_MODIFY,
		nfs4.FATTR4_MOUNTED_ON_FILEID,
	}
	// As captured.
	few := []int{nfs4.FATTR4_CHANGE, nfs4.FATTR4_SIZE, nfs4.FATTR4_TIME_METADATA, nfs4.FATTR4_TIME_MODIFY}
	require.Equal(t, nfs4.Bitmap4{0x18, 0x00300000}, bitsOf(few...))
	extra := encoded(t, func(e *xdr.Encoder) { b := exclusive[2]; b.encode(e) })
	for _, list := range [][]int{full, append(slices.Clone(full), nfs4.FATTR4_TIME_CREATE), few} {
		for _, names := range [][]string{{"x", "f"}, {"x"}, {}} {
			more := append(slices.Clone(list), nfs4.FATTR4_SUPPATTR_EXCLCREAT)
			res := d.ok(append(walk(names...), getattr(list...), getattr(more...))...)
			n := len(res)
			straight, table := res[n-2].Opgetattr.Resok4.ObjAttributes, res[n-1].Opgetattr.Resok4.ObjAttributes
			require.Equal(t, []uint32(straight.Attrmask[:2]), []uint32(table.Attrmask[:2]))
			require.Len(t, straight.Attrmask, 2)
			require.Equal(t, string(table.AttrVals[:len(table.AttrVals)-len(extra)]), string(straight.AttrVals))
		}
	}
}

func decodeAll(b []byte, v interface{ Decode(*xdr.Decoder) }) error {
	var d xdr.Decoder
	d.Reset(b)
	v.Decode(&d)
	return d.Err()
}

func TestOtherSetsAreNotLinuxs(t *testing.T) {
	for _, b := range []bitmap{{}, {linux0}, {0, linux1}, {linux0, linux1, 1}, {linux0 | 1, linux1},
		{linux0, linux1 &^ 2}, {linux0, linux1 | 1<<31}} {
		require.False(t, b.ofLinux(), b)
	}
	for _, b := range []bitmap{{linux0, linux1}, {linux0, linux1 | linuxBirth}} {
		require.True(t, b.ofLinux(), b)
	}
}
