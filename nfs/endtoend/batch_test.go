package endtoend

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
)

// gather holds a worker in a change of dir until release, so that all changes that come meanwhile
// wait for each other. The change that it is held in fails, and owes nothing.
func gather(t testing.TB, f *faultfs.FS, c *nfstest.Client, dir fh) (release func()) {
	t.Helper()
	gate := faultfs.NewGate()
	t.Cleanup(gate.Open)
	rule := f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Mkdir}, Name: "held", Gate: gate,
		Status: vfs.Access})
	held := c.Start(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: nfstest.At(dir, "held")})
	<-gate.Entered()
	return func() {
		t.Helper()
		gate.Open()
		require.Equal(t, nfs3.NFS3ERR_ACCES, statusOf(t, nfs3.NFSPROC3_MKDIR, held.Reply().Results))
		rule.Remove()
	}
}

// failNextPay lets the next payment wait at gate, and then fail.
func failNextPay(t testing.TB, f *faultfs.FS) (gate *faultfs.Gate) {
	gate = faultfs.NewGate()
	t.Cleanup(gate.Open)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Pay}, Count: 1, Gate: gate, Status: vfs.NoSpc})
	return gate
}

func TestEveryReplyOfABatchTellsOfItsFailureAndNoOther(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	file, guard := prepare(t, c, root)
	var batch []change
	for _, ch := range changes(root, file, guard) {
		if ch.proc != nfs3.NFSPROC3_SETATTR { // changes another object
			batch = append(batch, ch)
		}
	}
	conns := []*nfstest.Client{s.dial(), s.dial(), s.dial()}
	settled := func() { // all that has been sent is in the workers' queue
		for _, x := range conns {
			x.Null()
		}
	}
	release := gather(t, f, c, root)
	pays := f.Count(faultfs.Pay)
	gate := failNextPay(t, f)
	var pending []*nfstest.Pending
	var xids []uint32
	for i, ch := range batch {
		xids = append(xids, nfstest.NewXID())
		pending = append(pending, conns[i%3].XID(xids[i]).Start(ch.proc, ch.args()))
	}
	settled()
	release()
	<-gate.Entered()
	// All changes are made, and their replies wait. The next changes are made, and paid, meanwhile.
	require.Contains(t, c.Names(root), "directory")
	require.NotContains(t, c.Names(root), "empty")
	for i, ch := range batch {
		r := conns[i%3].Start(ch.proc, ch.other()).Reply()
		ok(t, statusOf(t, ch.proc, r.Results), ch.name)
	}
	gate.Open()
	var replies []rpctest.Reply
	for i, ch := range batch {
		r := pending[i].Reply()
		require.Equal(t, nfs3.NFS3ERR_NOSPC, statusOf(t, ch.proc, r.Results), ch.name)
		for _, b := range r.Results[4:] {
			require.Zero(t, b, "attributes from before the failure: %s", ch.name)
		}
		replies = append(replies, r)
	}
	require.Equal(t, pays+1+len(batch), f.Count(faultfs.Pay), "one for the batch")
	ops := f.Count(faultfs.Mkdir) + f.Count(faultfs.Remove) + f.Count(faultfs.Create)
	for i, ch := range batch {
		again := conns[i%3].XID(xids[i]).Start(ch.proc, ch.args()).Reply()
		require.Equal(t, replies[i].Results, again.Results, ch.name)
	}
	require.Equal(t, ops, f.Count(faultfs.Mkdir)+f.Count(faultfs.Remove)+f.Count(faultfs.Create),
		"made twice")
}

func TestWritesOfABatchThatFailsChangeTheVerifier(t *testing.T) {
	s, f := serveFaulty(t)
	c, root := s.mount()
	file := create(t, c, root, "file", 0o644)
	before := c.Write(file, 0, []byte("before"), nfs3.FILE_SYNC)
	ok(t, before.Status)
	gate := faultfs.NewGate()
	t.Cleanup(gate.Open)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.SetAttr}, Count: 1, Gate: gate, Status: vfs.Perm})
	set := &nfs3.SETATTR3args{Object: file, NewAttributes: nfstest.Mode(0o600)}
	held := c.Start(nfs3.NFSPROC3_SETATTR, set)
	<-gate.Entered()
	pays := f.Count(faultfs.Pay)
	failNextPay(t, f).Open()
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Write}, Threads: faultfs.LaneOnly, Status: vfs.Again})
	var pending []*nfstest.Pending
	for i := range uint64(5) {
		how := []nfs3.StableHow{nfs3.FILE_SYNC, nfs3.DATA_SYNC}[i%2]
		pending = append(pending, c.Start(nfs3.NFSPROC3_WRITE,
			nfstest.WriteArgs(file, i*100, make([]byte, 100), how)))
	}
	last := c.Start(nfs3.NFSPROC3_SETATTR, set)
	c.Null()
	gate.Open()
	require.Equal(t, nfs3.NFS3ERR_PERM, statusOf(t, nfs3.NFSPROC3_SETATTR, held.Reply().Results))
	for i, p := range pending {
		r := p.Reply()
		require.Equal(t, nfs3.NFS3ERR_NOSPC, statusOf(t, nfs3.NFSPROC3_WRITE, r.Results), i)
		require.Equal(t, make([]byte, 8), r.Results[4:], "no attributes")
	}
	require.Equal(t, nfs3.NFS3ERR_NOSPC, statusOf(t, nfs3.NFSPROC3_SETATTR, last.Reply().Results))
	require.Equal(t, pays+1, f.Count(faultfs.Pay))
	after := c.Write(file, 0, []byte("after"), nfs3.FILE_SYNC)
	ok(t, after.Status)
	require.NotEqual(t, before.Resok.Verf, after.Resok.Verf)
}

func TestEveryCompoundOfABatchTellsOfItsFailureAndNoOther(t *testing.T) {
	for minor := range uint32(3) {
		t.Run(fmt.Sprint("4.", minor), func(t *testing.T) {
			s, f := serveFaulty(t,
				func(c *nfs.Config) { c.Versions = nfs.NFSv3 | nfs.NFSv40 | nfs.NFSv41 | nfs.NFSv42 })
			c3, root := s.mount()
			c := s.dial()
			const calls = 8
			var session *session4
			if minor > 0 {
				session = newSession4(t, c, "me", 2*calls, 8192)
				session.keep = true
			}
			var sent [2 * calls][]byte
			compound := func(slot int, ops ...nfs4.NfsArgop4) []byte {
				ops = append([]nfs4.NfsArgop4{{Argop: nfs4.OP_PUTFH,
					Opputfh: nfs4.PUTFH4args{Object: root.Data}}}, ops...)
				if minor > 0 {
					ops = then(session.next(slot), ops...)
				}
				sent[slot] = compound4(t, minor, ops...)
				return sent[slot]
			}
			getfh := nfs4.NfsArgop4{Argop: nfs4.OP_GETFH}
			ops := func(slot int) []nfs4.NfsArgop4 {
				if minor > 0 && slot%calls > 5 { // two of one owner and file
					return []nfs4.NfsArgop4{open4("owner", fmt.Sprint("f", slot/calls),
						nfs4.OPEN4_CREATE, 0), getfh}
				}
				return []nfs4.NfsArgop4{mkdir4(fmt.Sprint("d", slot)), getfh}
			}
			release := gather(t, f, c3, root)
			pays := f.Count(faultfs.Pay)
			gate := failNextPay(t, f)
			var pending [calls]*nfstest.Pending
			var xids [calls]uint32
			for i := range calls {
				xids[i] = nfstest.NewXID()
				pending[i] = send4(c.XID(xids[i]), compound(i, ops(i)...))
			}
			c.Null()
			release()
			<-gate.Entered()
			require.Contains(t, c3.Names(root), "d0")
			for i := calls; i < 2*calls; i++ {
				res := new(nfs4.COMPOUND4res)
				send4(c, compound(i, ops(i)...)).Into(res)
				require.Equal(t, nfs4.NFS4_OK, res.Status)
			}
			if minor > 0 { // its slot is in use until it is answered
				res := new(nfs4.COMPOUND4res)
				send4(s.dial(), sent[0]).Into(res)
				require.Equal(t, nfs4.NFS4ERR_DELAY, res.Status)
			}
			gate.Open()
			first := 1 // operations before the one that changes
			if minor > 0 {
				first = 2
			}
			var replies [calls]rpctest.Reply
			for i := range calls {
				replies[i] = pending[i].Reply()
				var res nfs4.COMPOUND4res
				require.NoError(t, nfstest.Decode(replies[i].Results, &res))
				require.Equal(t, nfs4.NFS4ERR_NOSPC, res.Status, i)
				require.Len(t, res.Resarray, first+1, "what follows is gone")
			}
			require.Equal(t, pays+1+calls, f.Count(faultfs.Pay), "one for the batch")
			made := f.Count(faultfs.Mkdir)
			for i := range calls {
				again := send4(c.XID(xids[i]), sent[i]).Reply()
				require.Equal(t, replies[i].Results, again.Results)
			}
			require.Equal(t, made, f.Count(faultfs.Mkdir), "made twice")
			if minor > 0 { // nobody has the file open
				res := new(nfs4.COMPOUND4res)
				send4(c, compound(0,
					open4("other", "f0", nfs4.OPEN4_NOCREATE,
						nfs4.OPEN4_SHARE_DENY_BOTH))).Into(res)
				require.Equal(t, nfs4.NFS4_OK, res.Status)
				send4(c, compound(1,
					open4("other", "f1", nfs4.OPEN4_NOCREATE,
						nfs4.OPEN4_SHARE_DENY_BOTH))).Into(res)
				require.Equal(t, nfs4.NFS4ERR_SHARE_DENIED, res.Status,
					"the one that was paid is open")
			}
		})
	}
}

// open4 is an OPEN by name for reading and writing. If it creates, it makes the file empty.
func open4(owner, name string, create nfs4.Opentype4, deny uint32) nfs4.NfsArgop4 {
	op := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{
		ShareAccess: nfs4.OPEN4_SHARE_ACCESS_BOTH, ShareDeny: deny,
		Owner: nfs4.OpenOwner4{Owner: []byte(owner)},
		Claim: nfs4.OpenClaim4{File: nfs4.Component4(name)},
	}}
	op.Opopen.Openhow.Opentype = create
	op.Opopen.Openhow.How.Createattrs = nfs4.Fattr4{ // a size of 0
		Attrmask: nfs4.Bitmap4{1 << nfs4.FATTR4_SIZE}, AttrVals: make([]byte, 8),
	}
	return op
}

// Counted in changes: another peer's change comes in the batch that is made next.
func TestAFloodOfChangesDelaysAnotherPeersChangeByOneBatch(t *testing.T) {
	needRoot(t) // for another user's socket
	const conns, each, read, batchMax = 40, 250, 10, 32
	s, f := serveFaulty(t)
	c, root := s.mount()
	hers := nfstest.DialAs(t, carol, s.addr()).As(carol, nobodysGroup)
	release := gather(t, f, c, root)
	made := f.Count(faultfs.Mkdir)
	var flood [conns][]*nfstest.Pending
	var from [conns]*nfstest.Client
	send := func(calls int) {
		for i, x := range from {
			for range calls {
				name := fmt.Sprint(i, " ", len(flood[i]))
				flood[i] = append(flood[i], x.Start(nfs3.NFSPROC3_MKDIR,
					&nfs3.MKDIR3args{Where: nfstest.At(root, name)}))
			}
		}
	}
	for i := range from {
		from[i] = s.dial()
	}
	send(read)
	for _, x := range from {
		x.Null() // the lane has seen the calls before it; later ones may wait for memory
	}
	send(each - read)
	gate := faultfs.NewGate()
	t.Cleanup(gate.Open)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Mkdir}, Name: "hers", Gate: gate})
	single := hers.Start(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: nfstest.At(root, "hers")})
	hers.Null()
	release()
	<-gate.Entered() // nobody else changes the directory now
	require.LessOrEqual(t, f.Count(faultfs.Mkdir)-made, batchMax)
	gate.Open()
	ok(t, statusOf(t, nfs3.NFSPROC3_MKDIR, single.Reply().Results))
	for i := range flood {
		for _, p := range flood[i] {
			ok(t, statusOf(t, nfs3.NFSPROC3_MKDIR, p.Reply().Results))
		}
	}
}

// What was received before the end is answered, unless the connections are dropped. Either way all
// changes that wait for each other come to an end.
func TestAServerEndsWithChangesThatWaitForEachOther(t *testing.T) {
	const calls = 100
	for _, drains := range []bool{true, false} {
		s, f := serveFaulty(t)
		c, root := s.mount()
		gate := faultfs.NewGate()
		t.Cleanup(gate.Open)
		f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Mkdir}, Count: 1, Gate: gate})
		var pending []*nfstest.Pending
		for i := range calls {
			pending = append(pending, c.Start(nfs3.NFSPROC3_MKDIR,
				&nfs3.MKDIR3args{Where: nfstest.At(root, fmt.Sprint(i))}))
		}
		<-gate.Entered()
		c.Null()
		opened := make(chan struct{})
		go func() {
			defer close(opened)
			if !drains {
				<-c.Done()
			}
			gate.Open()
		}()
		if drains {
			s.stop()
		} else {
			s.kill()
		}
		<-opened
		for _, p := range pending {
			r, err := p.Wait()
			if drains {
				require.NoError(t, err)
				ok(t, statusOf(t, nfs3.NFSPROC3_MKDIR, r.Results))
			} else {
				require.ErrorIs(t, err, nfstest.ErrNoReply)
			}
		}
		require.Equal(t, calls, f.Count(faultfs.Mkdir))
	}
}
