package v4

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// unpayable makes changes impossible to put on stable storage.
func unpayable(d *data) *faultfs.Fault {
	return d.fs.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Pay}, Status: vfs.IO})
}

func newFile(owner, name string, deny uint32) nfs4.NfsArgop4 {
	op := openOp(owner, name, nfs4.OPEN4_SHARE_ACCESS_BOTH, deny, nfs4.OPEN4_CREATE)
	op.Opopen.Openhow.How.Mode = nfs4.GUARDED4
	return op
}

func removeOp(name string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_REMOVE, Opremove: nfs4.REMOVE4args{Target: nfs4.Component4(name)}}
}

// setMode is a SETATTR of the mode.
func setMode(mode uint32) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{ObjAttributes: nfs4.Fattr4{
		Attrmask: bitsOf(nfs4.FATTR4_MODE), AttrVals: []byte{0, 0, byte(mode >> 8), byte(mode)},
	}}}
}

func TestWhatLooksAfterAChangeIsPaidWithIt(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	pays := d.fs.Count(faultfs.Pay)
	d.ok(append(walk("x", "f"), setMode(0o600), getattr(nfs4.FATTR4_MODE), getfh())...)
	require.Equal(t, pays+1, d.fs.Count(faultfs.Pay))
	d.ok(append(walk("x", "f"), setMode(0o640), setMode(0o600), getfh())...)
	require.Equal(t, pays+3, d.fs.Count(faultfs.Pay), "a change is paid before the next one begins")
	d.ok(append(walk("x", "f"), getattr(nfs4.FATTR4_MODE))...)
	require.Equal(t, pays+3, d.fs.Count(faultfs.Pay))
}

func TestACompoundEndsWithTheChangeThatIsNotOnStableStorage(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	fault := unpayable(d)
	// The results behind it are gone. SETATTR says in any case what it has set.
	res := d.try(append(walk("x", "f"), setMode(0o600), getfh(), getattr(nfs4.FATTR4_MODE))...)
	require.Equal(t, nfs4.NFS4ERR_IO, res.Status)
	require.Len(t, res.Resarray, 5)
	require.Equal(t, nfs4.NFS4ERR_IO, res.Resarray[4].Opsetattr.Status)
	require.Empty(t, res.Resarray[4].Opsetattr.Attrsset)

	// The next change does not begin.
	calls := d.fs.Count(faultfs.Remove)
	res = d.try(append(walk("x"), mkdir("d"), putroot(), lookup("x"), removeOp("f"))...)
	require.Equal(t, nfs4.NFS4ERR_IO, res.Status)
	require.Len(t, res.Resarray, 4)
	require.Equal(t, nfs4.NFS4ERR_IO, res.Resarray[3].Opcreate.Status)
	require.Equal(t, calls, d.fs.Count(faultfs.Remove))
	fault.Remove()
	d.ok(walk("x", "f")...)
}

// The answer that was kept says so, too.
func TestARetransmissionIsToldOfTheSameFailure(t *testing.T) {
	d := newData(t, nil)
	d.keep = true
	fault := unpayable(d)
	ops := append(walk("x"), mkdir("d"), getfh())
	first := d.try(ops...)
	require.Equal(t, nfs4.NFS4ERR_IO, first.Status)
	fault.Remove()
	require.Equal(t, first, d.r.do(in(d.again(), ops...)...))
}

func TestAnOpenWhoseFileIsNotOnStableStorageIsNotOpen(t *testing.T) {
	d := newData(t, nil)
	fault := unpayable(d)
	res := d.try(append(walk("x"), newFile("me", "f", nfs4.OPEN4_SHARE_DENY_BOTH), getfh())...)
	require.Equal(t, nfs4.NFS4ERR_IO, res.Status)
	require.Len(t, res.Resarray, 4)
	require.Zero(t, d.r.cfg.Files.Counts().Opens)
	fault.Remove()
	d.ok(append(walk("x"), openOp("other", "f", 3, 0, nfs4.OPEN4_NOCREATE))...)
}

// In minor version 0 the owner's last answer is kept. It is the one that was given.
func TestAnOwnerOfMinorVersion0IsToldTheSameTwice(t *testing.T) {
	d := newData(t, nil)
	d.r.minor = 0
	client := d.r.client0("old")
	op := newFile("owner", "f", 0)
	op.Opopen.Owner.Clientid, op.Opopen.Seqid = nfs4.Clientid4(client), 1
	fault := unpayable(d)
	d.r.fails(nfs4.NFS4ERR_IO, append(walk("x"), op)...)
	require.Zero(t, d.r.cfg.Files.Counts().Opens)
	fault.Remove()
	d.r.fails(nfs4.NFS4ERR_IO, append(walk("x"), op)...)
	op = openOp("owner", "f", 3, 0, nfs4.OPEN4_NOCREATE)
	op.Opopen.Owner.Clientid, op.Opopen.Seqid = nfs4.Clientid4(client), 2
	d.r.ok(append(walk("x"), op)...)
}

// A compound that needs more memory may go on at another place.
func TestACompoundPaysBeforeItIsSuspended(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1 << 19}}
	ops := append(walk("x", "f"), setMode(0o600), read)
	d.r.memory = rpc.ReplyMemoryMin
	pays := d.fs.Count(faultfs.Pay)
	d.ok(ops...)
	require.NotZero(t, d.r.grows)
	require.Equal(t, pays+1, d.fs.Count(faultfs.Pay))
	unpayable(d)
	res := d.try(ops...)
	require.Equal(t, nfs4.NFS4ERR_IO, res.Status)
	require.Len(t, res.Resarray, 5)
	require.Zero(t, d.r.grows)
}

func TestAnOperationThatFailsBehindAChangeLeavesItsStatus(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	ops := append(walk("x", "f"), setMode(0o600), lookup("none"))
	d.fails(nfs4.NFS4ERR_NOTDIR, ops...)
	unpayable(d)
	res := d.try(ops...)
	require.Equal(t, nfs4.NFS4ERR_IO, res.Status, "the change is what counts")
	require.Len(t, res.Resarray, 5)
}

// spliced lends a pipe to everybody, and says that what is read is in it.
type spliced struct{ p vfs.Pipe }

func (p *spliced) Pipe(int) *vfs.Pipe { return &p.p }

func (p *spliced) Splice(_ *vfs.Cred, _ vfs.Handle, r *vfs.SpliceArgs, _ *vfs.Attr) (int, bool, vfs.Status) {
	return r.N, false, vfs.OK
}

// The transport sends no pipe behind a reply that says nothing of its content.
func TestAReadBehindAChangeThatIsNotOnStableStorageLeavesNoTail(t *testing.T) {
	p := &spliced{}
	in := memfs.New(memfs.Config{Mode: 0o777})
	fs := faultfs.Wrap(vfstest.Able(in, &vfs.Abilities{Splice: p}), 1)
	d := newData(t, func(_ *Config, x *export.Export) { x.FS = fs })
	d.r.pipes = p
	d.ok(append(walk("x"), newFile("me", "f", 0))...)
	pays := fs.Count(faultfs.Pay)
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1000}}
	args := nfs4.COMPOUND4args{Minorversion: 2, Argarray: append([]nfs4.NfsArgop4{d.sequence()},
		append(walk("x", "f"), setMode(0o600), read)...)}
	_ = d.r.run(d.r.record(encoded(t, args.Encode)))
	require.Equal(t, 1000, d.r.call.Tail.Len)
	require.Equal(t, pays+1, fs.Count(faultfs.Pay))

	fs.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Pay}, Status: vfs.IO})
	args.Argarray[0] = d.sequence()
	_ = d.r.run(d.r.record(encoded(t, args.Encode)))
	require.Zero(t, d.r.call.Tail)
}

// Results of these alone can be dropped: they change nothing, neither files nor state.
func TestOnlyWhatLooksFollowsAChangeThatIsNotPaid(t *testing.T) {
	looks := []nfs4.NfsOpnum4{
		nfs4.OP_ACCESS, nfs4.OP_GETATTR, nfs4.OP_GETFH, nfs4.OP_LOOKUP, nfs4.OP_LOOKUPP, nfs4.OP_NVERIFY,
		nfs4.OP_PUTFH, nfs4.OP_PUTPUBFH, nfs4.OP_PUTROOTFH, nfs4.OP_READ, nfs4.OP_READDIR, nfs4.OP_READLINK,
		nfs4.OP_RESTOREFH, nfs4.OP_SAVEFH, nfs4.OP_SECINFO, nfs4.OP_VERIFY, nfs4.OP_SECINFO_NO_NAME,
		nfs4.OP_LOCKT, nfs4.OP_TEST_STATEID, nfs4.OP_IO_ADVISE, nfs4.OP_READ_PLUS, nfs4.OP_SEEK,
		nfs4.OP_GETXATTR, nfs4.OP_LISTXATTRS,
	}
	var got []nfs4.NfsOpnum4
	for op := range rows {
		if rows[op].needs&harmless != 0 {
			got = append(got, nfs4.NfsOpnum4(op))
		}
	}
	require.ElementsMatch(t, looks, got)
}

// A retransmission that comes while the compound owes waits for it, as for one that is running.
func TestASlotIsInUseUntilItsCompoundIsSettled(t *testing.T) {
	d := newData(t, nil)
	ops := append(walk("x"), mkdir("d"))
	args := nfs4.COMPOUND4args{Minorversion: 2, Argarray: in(d.sequence(), ops...)}
	c := rpc.Call{Place: &d.r.places[1], Peer: d.r.peer, Conn: d.r.conn}
	require.NoError(t, d.r.server.Parse(&c, d.r.record(encoded(t, args.Encode)), nil))
	c.Reply.Reset(make([]byte, d.r.memory))
	require.Equal(t, rpc.Owing, d.r.server.Run(&c))
	res := d.r.do(in(d.again(), ops...)...)
	require.Equal(t, nfs4.NFS4ERR_DELAY, res.Status)
	require.Len(t, res.Resarray, 1)
	d.r.server.Settle(&c)
	c.Reset()
	d.ok(walk("x", "d")...)
}

// started is a call that has run on the worker, as one of a batch, and is settled later.
func (d *data) started(ops ...nfs4.NfsArgop4) *rpc.Call {
	d.r.t.Helper()
	args := nfs4.COMPOUND4args{Minorversion: d.r.minor, Argarray: ops}
	c := &rpc.Call{Place: &d.r.places[1], Peer: d.r.peer, Conn: d.r.conn}
	require.NoError(d.r.t, d.r.server.Parse(c, d.r.record(encoded(d.r.t, args.Encode)), nil))
	c.Reply.Reset(make([]byte, d.r.memory))
	require.Equal(d.r.t, rpc.Owing, d.r.server.Run(c))
	return c
}

// settled settles a call and returns its results.
func (d *data) settled(c *rpc.Call) (res nfs4.COMPOUND4res) {
	d.r.t.Helper()
	d.r.server.Settle(c)
	results, ok := c.Results()
	require.True(d.r.t, ok)
	var dec xdr.Decoder
	dec.Reset(results)
	res.Decode(&dec)
	require.NoError(d.r.t, dec.Err())
	c.Reset()
	return res
}

// One that pays early in a batch pays for those before it, and each is told what became of its own.
func TestACompoundOfABatchThatPaysEarlyPaysForThoseBeforeIt(t *testing.T) {
	for _, early := range []string{"two changes", "OPEN of minor version 0"} {
		for failing := -1; failing < 2; failing++ { // the payment that fails
			d := newData(t, nil)
			d.r.minor = 0
			client := d.r.client0("old")
			pays := d.fs.Count(faultfs.Pay)
			if failing >= 0 {
				d.fs.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Pay}, Status: vfs.IO,
					Skip: failing, Count: 1})
			}
			before := d.started(append(walk("x"), mkdir("before"))...)
			var middle *rpc.Call
			if early == "two changes" && failing != 0 {
				middle = d.started(append(walk("x"), mkdir("one"), putroot(), lookup("x"),
					mkdir("two"))...)
			} else {
				op := newFile("owner", "f", 0)
				op.Opopen.Owner.Clientid, op.Opopen.Seqid = nfs4.Clientid4(client), 1
				res := d.r.do(append(walk("x"), op)...)
				require.Equal(t, failing == 0, res.Status == nfs4.NFS4ERR_IO, res.Status)
			}
			require.Equal(t, pays+1, d.fs.Count(faultfs.Pay))
			after := d.started(append(walk("x"), mkdir("after"))...)
			status := func(number int) nfs4.Nfsstat4 {
				if number == failing {
					return nfs4.NFS4ERR_IO
				}
				return nfs4.NFS4_OK
			}
			require.Equal(t, status(0), d.settled(before).Status)
			require.Equal(t, pays+1, d.fs.Count(faultfs.Pay), "paid")
			if middle != nil {
				res := d.settled(middle)
				require.Equal(t, status(1), res.Status)
				require.Len(t, res.Resarray, 6)
			}
			require.Equal(t, status(1), d.settled(after).Status)
			require.Equal(t, pays+2, d.fs.Count(faultfs.Pay))
		}
	}
}

// The share of the first OPEN goes with the second one.
func TestOpensOfABatchThatFailLeaveNoShare(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	fault := unpayable(d)
	truncating := openOp("me", "f", nfs4.OPEN4_SHARE_ACCESS_BOTH, 0, nfs4.OPEN4_CREATE)
	truncating.Opopen.Openhow.How.Createattrs = nfs4.Fattr4{
		Attrmask: bitsOf(nfs4.FATTR4_SIZE), AttrVals: make([]byte, 8),
	}
	seq := d.sequence()
	one := d.started(in(seq, append(walk("x"), truncating)...)...)
	seq.Opsequence.SaSlotid++
	seq.Opsequence.SaSequenceid = 1
	two := d.started(in(seq, append(walk("x"), truncating)...)...)
	require.Equal(t, nfs4.NFS4ERR_IO, d.settled(one).Status)
	require.Equal(t, nfs4.NFS4ERR_IO, d.settled(two).Status)
	require.Zero(t, d.r.cfg.Files.Counts().Opens)
	fault.Remove()
	d.ok(append(walk("x"), openOp("other", "f", 3, nfs4.OPEN4_SHARE_DENY_BOTH, nfs4.OPEN4_NOCREATE))...)
}

// A compound that goes on on a worker is made together with others that change the same object.
func TestWhatTheNextOperationChangesIsTheObjectOfACompound(t *testing.T) {
	d := newData(t, nil)
	d.file("f", "content")
	r := d.r
	target := func(ops ...nfs4.NfsArgop4) rpc.Target {
		t.Helper()
		args := nfs4.COMPOUND4args{Minorversion: 2, Argarray: in(d.sequence(), ops...)}
		c := rpc.Call{Place: &r.places[0], Peer: r.peer, Conn: r.conn}
		require.NoError(t, r.server.Parse(&c, r.record(encoded(t, args.Encode)), nil))
		require.Zero(t, c.Target(), "nothing is known before it has run")
		c.Reply.Reset(make([]byte, r.memory))
		for out := r.server.Run(&c); out != rpc.Wait; out = r.server.Run(&c) {
			require.Equal(t, rpc.Grow, out)
			c.Reply.Reset(make([]byte, c.Need))
		}
		left := c.Args.Left()
		got := c.Target()
		require.Equal(t, left, c.Args.Left(), "the call is as it was")
		c.Reset()
		return got
	}
	x := r.table.Exports()[0]
	object := func(names ...string) rpc.Target {
		res := d.ok(append(walk(names...), getfh())...)
		got := rpc.Target{Volume: x.Volume,
			Object: export.ObjectOf(res[len(res)-1].Opgetfh.Resok4.Object)}
		require.NotZero(t, got.Object)
		return got
	}
	dir, file, none := object("x"), object("x", "f"), rpc.Target{Volume: x.Volume}
	require.NotEqual(t, dir, file)
	d.fs.Add(faultfs.Rule{Threads: faultfs.LaneOnly, Status: vfs.Again,
		Ops: []faultfs.Op{faultfs.Write, faultfs.Commit, faultfs.Read}})
	write := func(n int, how nfs4.StableHow4) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_WRITE,
			Opwrite: nfs4.WRITE4args{Stable: how, Data: make([]byte, n)}}
	}
	saved := append(walk("x", "f"), savefh(), putroot(), lookup("x"))
	for _, c := range []struct {
		name string
		ops  []nfs4.NfsArgop4
		want rpc.Target
	}{
		{"CREATE", append(walk("x"), mkdir("d")), dir},
		{"REMOVE", append(walk("x"), removeOp("f")), dir},
		{"LINK", append(saved, nfs4.NfsArgop4{Argop: nfs4.OP_LINK,
			Oplink: nfs4.LINK4args{Newname: []byte("l")}}), dir},
		{"RENAME", append(saved, nfs4.NfsArgop4{Argop: nfs4.OP_RENAME,
			Oprename: nfs4.RENAME4args{Oldname: []byte("a"), Newname: []byte("b")}}), dir},
		{"SETATTR", append(walk("x", "f"), setMode(0o600)), file},
		{"OPEN that creates", append(walk("x"), newFile("me", "new", 0)), dir},
		{"WRITE", append(walk("x", "f"), write(32<<10, nfs4.FILE_SYNC4)), file},
		{"WRITE of the data", append(walk("x", "f"), write(1, nfs4.DATA_SYNC4)), file},
		{"WRITE of more", append(walk("x", "f"), write(32<<10+1, nfs4.FILE_SYNC4)), none},
		{"WRITE that is not stable", append(walk("x", "f"), write(1, nfs4.UNSTABLE4)), none},
		{"COMMIT", append(walk("x", "f"), nfs4.NfsArgop4{Argop: nfs4.OP_COMMIT}), none},
		{"READ", append(walk("x", "f"),
			nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Count: 1}}), none},
	} {
		require.Equal(t, c.want, target(c.ops...), c.name)
	}
	d.fs.Add(faultfs.Rule{Threads: faultfs.LaneOnly, Status: vfs.Again,
		Ops: []faultfs.Op{faultfs.Lookup}})
	require.Equal(t, none, target(append(walk("x"), openOp("me", "f", 1, 0, nfs4.OPEN4_NOCREATE))...),
		"an OPEN")
}
