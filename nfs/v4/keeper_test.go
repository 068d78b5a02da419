package v4

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// opener is a client that opens files of a directory, and the directory.
type opener struct {
	*session
	owner string
	dir   []string
}

// opened is an open file.
type opened struct {
	by *opener
	fh []byte
	id nfs4.Stateid4
}

func putfh(fh []byte) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH, Opputfh: nfs4.PUTFH4args{Object: fh}}
}

func (o *opener) args(claim nfs4.OpenClaim4) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
		ShareAccess: nfs4.OPEN4_SHARE_ACCESS_BOTH, Owner: nfs4.OpenOwner4{Owner: []byte(o.owner)},
		Openhow: nfs4.Openflag4{Opentype: nfs4.OPEN4_NOCREATE}, Claim: claim,
	}}
}

func (o *opener) result(res []nfs4.NfsResop4) *opened {
	n := len(res)
	fh := res[n-1].Opgetfh.Resok4.Object
	return &opened{o, append([]byte(nil), fh...), res[n-2].Opopen.Resok4.Stateid}
}

// open opens a file that is there.
func (o *opener) open(name string) *opened {
	o.r.t.Helper()
	claim := nfs4.OpenClaim4{Claim: nfs4.CLAIM_NULL, File: nfs4.Component4(name)}
	return o.result(o.r.ok(in(o.sequence(), append(walk(o.dir...), o.args(claim), getfh())...)...))
}

// again opens an open file by its handle, for the owner that is given.
func (f *opened) again(o *opener) *opened {
	o.r.t.Helper()
	return o.result(o.r.ok(o.sequence(), putfh(f.fh), o.args(nfs4.OpenClaim4{Claim: nfs4.CLAIM_FH}), getfh()))
}

func (f *opened) close() {
	f.by.r.t.Helper()
	f.by.r.ok(f.by.sequence(), putfh(f.fh), nfs4.NfsArgop4{
		Argop: nfs4.OP_CLOSE, Opclose: nfs4.CLOSE4args{OpenStateid: f.id},
	})
}

// read reads 100 bytes.
func (f *opened) read() string {
	f.by.r.t.Helper()
	res := f.by.r.ok(f.by.sequence(), putfh(f.fh), nfs4.NfsArgop4{
		Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Stateid: f.id, Count: 100},
	}, getattr(nfs4.FATTR4_NUMLINKS))
	return string(res[2].Opread.Resok4.Data)
}

func (f *opened) write(data string) {
	f.by.r.t.Helper()
	f.by.r.ok(f.by.sequence(), putfh(f.fh), nfs4.NfsArgop4{
		Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Stateid: f.id, Stable: nfs4.UNSTABLE4, Data: []byte(data)},
	}, nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT})
}

func (f *opened) gone() {
	f.by.r.t.Helper()
	f.by.r.fails(nfs4.NFS4ERR_STALE, f.by.sequence(), putfh(f.fh), getattr(nfs4.FATTR4_TYPE))
}

func remove(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4(name)}}
}

func renameTo(old, to string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_RENAME, Oprename: nfs4.RENAME4args{
		Oldname: nfs4.Component4(old), Newname: nfs4.Component4(to),
	}}
}

// kept is a rig with one export, two clients, a file f of theirs, and the keeper.
func kept(t *testing.T) (r *rig, a, b *opener, k *Keeper) {
	fs := memfs.New(memfs.Config{Mode: 0o777})
	cfg := remembers(new(uint32))
	r = newRig(t, cfg, export.Export{Path: "/x", FS: fs})
	makeFile(t, r, "f", "content")
	makeFile(t, r, "g", "other")
	dir := []string{"x"}
	a, b = &opener{r.session("a"), "a", dir}, &opener{r.session("b"), "b", dir}
	for _, o := range []*opener{a, b} {
		r.ok(o.sequence(), nfs4.NfsArgop4{Argop: nfs4.OP_RECLAIM_COMPLETE})
	}
	return r, a, b, cfg.Keeper
}

// makeFile makes a file in the top directory of the rig's first export.
func makeFile(t *testing.T, r *rig, name, content string) {
	x := r.table.Exports()[0]
	v := r.table.View(1, x)
	m := vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)}
	args := vfs.CreateArgs{Name: []byte(name), How: vfs.Guarded, Set: &vfs.SetAttr{HasMode: true, Mode: 0o666}}
	c := r.places[1].Thread.Creds.Intern(0, 0, nil)
	require.Equal(t, vfs.OK, v.Create(c, x.FS.Root(), &args, &m))
	_, _, _, s := v.Write(c, m.Entry.Handle, &vfs.WriteArgs{Src: [][]byte{[]byte(content)}}, new(vfs.WCC))
	require.Equal(t, vfs.OK, s)
}

func TestAnOpenFileOutlivesItsNameUntilTheLastClose(t *testing.T) {
	r, a, b, k := kept(t)
	fa, fb := a.open("f"), b.open("f")
	r.ok(in(b.sequence(), append(walk("x"), remove("f"))...)...)
	r.fails(nfs4.NFS4ERR_NOENT, in(a.sequence(), walk("x", "f")...)...)
	require.Equal(t, 1, k.Held())
	require.Equal(t, "content", fa.read())
	fb.write("CONT")
	require.Equal(t, "CONTent", fa.read())
	fa.close()
	require.Equal(t, "CONTent", fb.read())
	third := fb.again(a) // by its handle alone
	fb.close()
	require.Equal(t, "CONTent", third.read())
	third.close()
	third.gone()
	require.Zero(t, k.Held())
}

func TestAnOpenFileOutlivesOneThatTakesItsName(t *testing.T) {
	r, a, b, k := kept(t)
	f := a.open("f")
	r.ok(in(b.sequence(), append(append(walk("x"), savefh()), renameTo("g", "f"))...)...)
	require.Equal(t, "content", f.read())
	require.Equal(t, "other", b.open("f").read())
	require.Equal(t, 1, k.Held())
	f.close()
	f.gone()
	require.Zero(t, k.Held())
}

func TestAFileThatNobodyHasOpenGoesWithItsName(t *testing.T) {
	r, a, b, k := kept(t)
	f := a.open("f")
	f.close()
	g := a.open("g")
	r.ok(in(b.sequence(), append(walk("x"), remove("f"))...)...)
	f.gone()
	require.Zero(t, k.Held())
	require.Equal(t, "other", g.read())
}

// Version 3 shares the exports' Views, so what its clients remove is asked about as well.
func TestARemovalByAnotherVersionLeavesAnOpenFile(t *testing.T) {
	r, a, _, k := kept(t)
	f := a.open("f")
	x := r.table.Exports()[0]
	c := r.places[1].Thread.Creds.Intern(0, 0, nil)
	require.Equal(t, vfs.OK, r.table.View(1, x).Remove(c, x.FS.Root(), []byte("f"), new(vfs.WCC)))
	require.Equal(t, "content", f.read())
	require.Equal(t, 1, k.Held())
	f.close()
	f.gone()
}

func TestTheEndOfAClientLetsFilesGo(t *testing.T) {
	r, a, b, k := kept(t)
	f := a.open("f")
	r.ok(in(b.sequence(), append(walk("x"), remove("f"))...)...)
	require.Equal(t, 1, k.Held())
	same := exchange("a", 0) // the client has started anew
	same.OpexchangeId.EiaClientowner.CoVerifier[0]++
	r.minor = 1
	id := r.ok(same)[0].OpexchangeId.EirResok4
	channel := nfs4.ChannelAttrs4{
		CaMaxrequestsize: 1 << 20, CaMaxresponsesize: 1 << 20, CaMaxresponsesizeCached: 4096, CaMaxoperations: 16, CaMaxrequests: 16,
	}
	r.ok(nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION, OpcreateSession: nfs4.CREATESESSION4args{
		CsaClientid: id.EirClientid, CsaSequence: id.EirSequenceid, CsaForeChanAttrs: channel, CsaBackChanAttrs: channel,
	}})
	require.Zero(t, k.Held())
	r.fails(nfs4.NFS4ERR_STALE, b.sequence(), putfh(f.fh), getattr(nfs4.FATTR4_TYPE))
}
