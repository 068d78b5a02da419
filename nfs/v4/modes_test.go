package v4

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
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

// Two who set different bits at once both have their way.
func TestAMaskedModeIsSetOnWhatTheModeIsByThen(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "text")
	masked := nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR}
	masked.Opsetattr.ObjAttributes = fattr(t, []int{nfs4.FATTR4_MODE_SET_MASKED}, func(e *xdr.Encoder) {
		e.Uint32(0)
		e.Uint32(0o006)
	})
	rule := d.fs.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.SetAttr}, Status: vfs.NotSync, Count: 7})
	res := d.ok(append(walk("x", "f"), masked, getattr(nfs4.FATTR4_MODE))...)
	require.Equal(t, 7, rule.Hits())
	mode := binary.BigEndian.Uint32(res[4].Opgetattr.Resok4.ObjAttributes.AttrVals)
	require.EqualValues(t, 0o660, mode)
	d.fs.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.SetAttr}, Status: vfs.NotSync, Count: 8})
	d.fails(nfs4.NFS4ERR_DELAY, append(walk("x", "f"), masked)...)
}
