package v4

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// inherits is a file system in which every directory has the same default list.
type inherits struct {
	vfs.FS
	list acl.List
}

func (f *inherits) View(t *vfs.Thread) (vfs.View, error) {
	in, err := f.FS.View(t)
	return &inheritsView{in, f}, err
}

type inheritsView struct {
	vfs.View
	fs *inherits
}

func (v *inheritsView) Abilities() *vfs.Abilities {
	a := *v.View.Abilities()
	a.ACLs = v
	return &a
}

func (v *inheritsView) GetACL(_ *vfs.Cred, _ vfs.Handle, set *vfs.ACLSet, _ *vfs.Attr) vfs.Status {
	set.Default = v.fs.list
	return vfs.OK
}

func (*inheritsView) SetACL(*vfs.Cred, vfs.Handle, *vfs.ACLSet, *vfs.Attr) vfs.Status {
	return vfs.NotSupp
}

// What new objects inherit says what they may lose, and not the umask of who makes them.
func TestAnUmaskDoesNotCountWhereAListIsInherited(t *testing.T) {
	fs := &inherits{FS: memfs.New(memfs.Config{Mode: 0o777})}
	r := newRig(t, remembers(new(uint32)), export.Export{Path: "/x", FS: fs})
	s := r.session("me")
	r.minor = 2
	made := func(name string) uint32 {
		op := mkdir(name)
		op.Opcreate.Createattrs = fattr(t, []int{nfs4.FATTR4_MODE_UMASK}, func(e *xdr.Encoder) {
			e.Uint32(0o775)
			e.Uint32(0o022)
		})
		res := r.ok(in(s.sequence(), append(walk("x"), op, getattr(nfs4.FATTR4_MODE))...)...)
		return binary.BigEndian.Uint32(res[4].Opgetattr.Resok4.ObjAttributes.AttrVals)
	}
	require.EqualValues(t, 0o755, made("no list"))
	fs.list = acl.List{}
	require.EqualValues(t, 0o775, made("a list"))
}

// races is a file system in which somebody changes the mode right before a SETATTR, some times.
type races struct {
	vfs.FS
	left int
}

func (f *races) View(t *vfs.Thread) (vfs.View, error) {
	in, err := f.FS.View(t)
	return &racesView{in, f}, err
}

type racesView struct {
	vfs.View
	fs *races
}

func (v *racesView) SetAttr(c *vfs.Cred, h vfs.Handle, s *vfs.SetAttr, w *vfs.WCC) vfs.Status {
	if v.fs.left > 0 {
		v.fs.left--
		other := vfs.SetAttr{HasMode: true, Mode: 0o1000 | uint32(v.fs.left)}
		if st := v.View.SetAttr(c, h, &other, new(vfs.WCC)); st != vfs.OK {
			return st
		}
	}
	return v.View.SetAttr(c, h, s, w)
}

// Two who set different bits at once both have their way.
func TestAMaskedModeIsSetOnWhatTheModeIsByThen(t *testing.T) {
	fs := &races{FS: memfs.New(memfs.Config{Mode: 0o777})}
	r := newRig(t, remembers(new(uint32)), export.Export{Path: "/x", FS: fs})
	r.ok(append(walk("x"), mkdir("d"))...)
	s := r.session("me")
	masked := nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR}
	masked.Opsetattr.ObjAttributes = fattr(t, []int{nfs4.FATTR4_MODE_SET_MASKED}, func(e *xdr.Encoder) {
		e.Uint32(0o070)
		e.Uint32(0o070)
	})
	fs.left = 7
	res := r.ok(in(s.sequence(), append(walk("x", "d"), masked, getattr(nfs4.FATTR4_MODE))...)...)
	mode := binary.BigEndian.Uint32(res[5].Opgetattr.Resok4.ObjAttributes.AttrVals)
	require.EqualValues(t, 0o1070, mode)
	fs.left = 8
	r.fails(nfs4.NFS4ERR_DELAY, in(s.sequence(), append(walk("x", "d"), masked)...)...)
}
