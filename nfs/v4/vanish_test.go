package v4

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// meddled is a file system in which something happens right after the next Access, which is the
// last thing that an OPEN asks before it is recorded.
type meddled struct {
	vfs.FS
	next func(vfs.View)
}

func (f *meddled) View(t *vfs.Thread) (vfs.View, error) {
	in, err := f.FS.View(t)
	return &meddledView{in, f}, err
}

type meddledView struct {
	vfs.View
	fs *meddled
}

func (v *meddledView) Access(
	c *vfs.Cred, h vfs.Handle, want vfs.Permission, a *vfs.Attr,
) (vfs.Permission, vfs.Status) {
	got, s := v.View.Access(c, h, want, a)
	if next := v.fs.next; next != nil {
		v.fs.next = nil
		next(v.View)
	}
	return got, s
}

func TestAnOpenLooksAgainForAFileThatGoesMeanwhile(t *testing.T) {
	fs := &meddled{FS: memfs.New(memfs.Config{Mode: 0o777})}
	r := newRig(t, remembers(new(uint32)), export.Export{
		Path: "/x", FS: fs, Options: export.Options{Squash: export.SquashNone},
	})
	o := &opener{r.session("me"), "owner", []string{"x"}}
	r.ok(o.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	create := func(name string) nfs4.NfsArgop4 {
		op := o.args(nfs4.OpenClaim4{File: nfs4.Component4(name)})
		op.Opopen.Openhow = nfs4.Openflag4{Opentype: nfs4.OPEN4_CREATE}
		return op
	}
	file := func(name, content string) {
		f := o.result(r.ok(in(o.sequence(), append(walk("x"), create(name), getfh())...)...))
		f.write(content)
		f.close()
	}
	root := fs.Root()
	remove := func(v vfs.View) {
		require.Equal(t, vfs.OK, v.Remove(&vfs.Cred{}, root, []byte("f"), new(vfs.WCC)))
	}
	named := o.args(nfs4.OpenClaim4{File: nfs4.Component4("f")})

	file("f", "one")
	fs.next = remove
	r.fails(nfs4.NFS4ERR_NOENT, in(o.sequence(), append(walk("x"), named)...)...)
	require.Zero(t, r.cfg.Files.Counts().Opens)

	file("f", "one")
	file("g", "another")
	fs.next = func(v vfs.View) {
		require.Equal(t, vfs.OK, v.Rename(&vfs.Cred{}, &vfs.RenameArgs{
			From: root, FromName: []byte("g"), To: root, ToName: []byte("f"),
		}, new(vfs.WCC), new(vfs.WCC)))
	}
	f := o.open("f")
	require.Equal(t, "another", f.read())
	require.Equal(t, 1, r.cfg.Files.Counts().Opens)
	f.close()

	fs.next = remove
	f = o.result(r.ok(in(o.sequence(), append(walk("x"), create("f"), getfh())...)...))
	f.write("anew")
	require.Equal(t, "anew", f.read())
	f.close()

	fs.next = remove
	this := o.args(nfs4.OpenClaim4{Claim: nfs4.CLAIM_FH})
	r.fails(nfs4.NFS4ERR_STALE, in(o.sequence(), append(walk("x", "f"), this)...)...)
	require.Zero(t, r.cfg.Files.Counts().Opens)
}
