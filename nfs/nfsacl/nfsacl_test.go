package nfsacl

import (
	"encoding/binary"
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/acl"
	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfs3/translate"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/rpc/rpctest"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
	"github.com/ringnfs/ringnfs/nfs/xdr"
	"github.com/ringnfs/ringnfs/nfs/xdr/xdrtest"
)

// keeper is the ability to keep lists. It keeps those of one object, and all handles name this
// object.
type keeper struct {
	set    vfs.ACLSet
	attr   vfs.Attr
	st     vfs.Status
	cred   *vfs.Cred
	asked  vfs.ACLSet // of the last call
	writes int
	owe    func() // of SetACL, or nil
}

func (k *keeper) GetACL(c *vfs.Cred, _ vfs.Handle, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	k.cred, k.asked, *a = c, *set, k.attr
	if set.HasAccess {
		set.Access = k.set.Access
	}
	if set.HasDefault {
		set.Default = k.set.Default
	}
	return k.st
}

func (k *keeper) SetACL(c *vfs.Cred, _ vfs.Handle, set *vfs.ACLSet, a *vfs.Attr) vfs.Status {
	k.cred, k.asked, *a = c, *set, k.attr
	k.writes++
	if k.owe != nil {
		k.owe()
	}
	return k.st
}

// rig is a server with three exports, all of the same tree: /keeps, /reads, which is
// read-only, and /plain, which keeps no lists.
type rig struct {
	t       *testing.T
	table   *export.Table
	server  *rpc.Server
	place   rpc.Place
	call    rpc.Call
	keeper  keeper
	refused []export.Refusal
}

func newRig(t *testing.T) *rig {
	t.Helper()
	r := &rig{t: t, place: rpc.Place{Thread: &vfs.Thread{MayWait: true}}}
	r.keeper.attr = vfs.Attr{
		Mask:  vfs.AttrBasic,
		Type:  vfs.TypeDir,
		Mode:  0o751,
		Nlink: 2,
		UID:   7,
		GID:   8,
		Size:  9,
		Mtime: vfs.Time{Sec: -1},
		Ctime: vfs.Time{Sec: 1 << 40, Nsec: 5},
	}
	able := &vfs.Abilities{ACLs: &r.keeper}
	var err error
	r.table, err = export.NewTable(export.Key{1}, 1, []export.Export{
		{
			Path:    "/keeps",
			FS:      vfstest.Able(memfs.New(memfs.Config{}), able),
			Options: export.Options{Squash: export.SquashNone},
		},
		{
			Path:    "/reads",
			FS:      vfstest.Able(memfs.New(memfs.Config{}), able),
			Options: export.Options{ReadOnly: true},
		},
		{Path: "/plain", FS: memfs.New(memfs.Config{})},
	})
	require.NoError(t, err)
	r.server = rpc.NewServer(
		New(
			r.table,
			Config{
				Refused: func(_ *rpc.Call, _ *export.Export, why export.Refusal) { r.refused = append(r.refused, why) },
			},
		),
	)
	require.NoError(t, r.table.Attach(0, r.place.Thread))
	t.Cleanup(func() {
		r.table.Detach(0)
		require.NoError(t, r.table.Close())
	})
	r.call.Peer = netip.MustParseAddrPort("127.0.0.1:700")
	return r
}

// root is the handle of an export's top directory.
func (r *rig) root(path string) []byte {
	x, _, ok := r.table.ByPath(path)
	require.True(r.t, ok)
	h := x.FS.Root()
	return r.table.Seal(x, &h, nil)
}

func (r *rig) reply(proc uint32, args xdrtest.Message) rpctest.Reply {
	r.t.Helper()
	var b []byte
	if args != nil {
		b = xdrtest.Encode(r.t, args)
	}
	msg := rpctest.NewCall(1, NFS_ACL_PROGRAM, NFS_ACL_V3, proc, b).Bytes()
	out, err := rpctest.Serve(r.server, &r.place, &r.call, msg)
	require.NoError(r.t, err)
	reply, err := rpctest.ParseReply(out)
	require.NoError(r.t, err)
	return reply
}

func (r *rig) ask(proc uint32, args, res xdrtest.Message) {
	r.t.Helper()
	reply := r.reply(proc, args)
	require.EqualValues(r.t, rpctest.Success, reply.Accept)
	xdrtest.Decode(r.t, reply.Results, res)
}

func (r *rig) get(path string, mask uint32) *GETACL3res {
	r.t.Helper()
	res := new(GETACL3res)
	r.ask(ACLPROC3_GETACL, &GETACL3args{Fh: nfs3.NfsFh3{Data: r.root(path)}, Mask: mask}, res)
	return res
}

func (r *rig) put(path string, s Secattr) *SETACL3res {
	r.t.Helper()
	res := new(SETACL3res)
	s.Aclcnt, s.Dfaclcnt = uint32(len(s.Aclents)), uint32(len(s.Dfaclents))
	r.ask(ACLPROC3_SETACL, &SETACL3args{Fh: nfs3.NfsFh3{Data: r.root(path)}, Acl: s}, res)
	return res
}

const both = NFS_ACL | NFS_ACLCNT | NFS_DFACL | NFS_DFACLCNT

func TestNull(t *testing.T) { newRig(t).ask(ACLPROC3_NULL, nil, nil) }

// The wire has four entries where the list has three, and the ids of owner and group.
func TestAModeIsAListOfFourOnTheWire(t *testing.T) {
	r := newRig(t)
	want := []Aclent{{1, 7, 7}, {4, 8, 5}, {16, 0, 5}, {32, 0, 1}}
	res := r.get("/keeps", both)
	require.Equal(t, nfs3.NFS3_OK, res.Status)
	require.EqualValues(t, both, res.Resok.Acl.Mask)
	require.EqualValues(t, 4, res.Resok.Acl.Aclcnt)
	require.Equal(t, want, res.Resok.Acl.Aclents)
	require.Zero(t, res.Resok.Acl.Dfaclcnt)
	require.Empty(t, res.Resok.Acl.Dfaclents)
	a := res.Resok.Attr.Attributes
	require.True(t, res.Resok.Attr.AttributesFollow)
	require.Equal(
		t,
		nfs3.Fattr3{
			Type:  nfs3.NF3DIR,
			Mode:  0o751,
			Nlink: 2,
			Uid:   7,
			Gid:   8,
			Size:  9,
			Ctime: nfs3.Nfstime3{Seconds: 1<<32 - 1, Nseconds: 999_999_999},
		},
		a,
	)

	r.keeper.set.Access, r.keeper.set.Default = acl.FromMode(0o751), acl.FromMode(0o640)
	res = r.get("/keeps", both)
	require.Equal(t, want, res.Resok.Acl.Aclents)
	require.Equal(
		t,
		[]Aclent{{0x1001, 7, 6}, {0x1004, 8, 4}, {0x1010, 0, 4}, {0x1020, 0, 0}},
		res.Resok.Acl.Dfaclents,
	)
}

func TestListsAsTheyAre(t *testing.T) {
	r := newRig(t)
	l := acl.List{
		{Tag: acl.UserObj, Perm: 6},
		{Tag: acl.User, Perm: 4, ID: 1234},
		{Tag: acl.GroupObj, Perm: 4},
		{Tag: acl.Group, Perm: 2, ID: 4321},
		{Tag: acl.Mask, Perm: 6},
		{Tag: acl.Other},
	}
	r.keeper.set = vfs.ACLSet{Access: l, Default: l}
	res := r.get("/keeps", both)
	require.Equal(
		t,
		[]Aclent{{1, 7, 6}, {2, 1234, 4}, {4, 8, 4}, {8, 4321, 2}, {16, 0, 6}, {32, 0, 0}},
		res.Resok.Acl.Aclents,
	)
	require.Equal(
		t,
		[]Aclent{
			{0x1001, 7, 6},
			{0x1002, 1234, 4},
			{0x1004, 8, 4},
			{0x1008, 4321, 2},
			{0x1010, 0, 6},
			{0x1020, 0, 0},
		},
		res.Resok.Acl.Dfaclents,
	)

	st := r.put(
		"/keeps",
		Secattr{
			Mask:      NFS_ACL | NFS_DFACL,
			Aclents:   res.Resok.Acl.Aclents,
			Dfaclents: res.Resok.Acl.Dfaclents,
		},
	)
	require.Equal(t, nfs3.NFS3_OK, st.Status)
	require.True(t, st.Attr.AttributesFollow)
	require.Equal(
		t,
		vfs.ACLSet{HasAccess: true, HasDefault: true, Access: l, Default: l},
		r.keeper.asked,
		"what was read is what is written",
	)
}

// A client can ask for the length of a list without the list.
func TestCountsAlone(t *testing.T) {
	r := newRig(t)
	r.keeper.set.Default = acl.FromMode(0o700)
	for mask, want := range map[uint32]Secattr{
		0:                         {},
		NFS_ACLCNT:                {Aclcnt: 4},
		NFS_DFACLCNT:              {Dfaclcnt: 4},
		NFS_ACLCNT | NFS_DFACLCNT: {Aclcnt: 4, Dfaclcnt: 4},
		NFS_DFACL | NFS_DFACLCNT: {
			Dfaclcnt:  4,
			Dfaclents: []Aclent{{0x1001, 7, 7}, {0x1004, 8, 0}, {0x1010, 0, 0}, {0x1020, 0, 0}},
		},
		NFS_DFACLCNT | NFS_ACL: {
			Aclcnt:   4,
			Aclents:  []Aclent{{1, 7, 7}, {4, 8, 5}, {16, 0, 5}, {32, 0, 1}},
			Dfaclcnt: 4,
		},
	} {
		res := r.get("/keeps", mask)
		require.Equal(t, nfs3.NFS3_OK, res.Status)
		want.Mask = mask
		require.Equal(t, want.Aclcnt, res.Resok.Acl.Aclcnt)
		require.Equal(t, len(want.Aclents), len(res.Resok.Acl.Aclents))
		require.Equal(t, want.Dfaclcnt, res.Resok.Acl.Dfaclcnt)
		require.Equal(t, len(want.Dfaclents), len(res.Resok.Acl.Dfaclents))
		require.Equal(t, mask&(NFS_ACL|NFS_ACLCNT) != 0, r.keeper.asked.HasAccess)
	}
	require.Equal(t, nfs3.NFS3ERR_INVAL, r.get("/keeps", 16).Status)
}

// If a list without its mask would be a mode, and the mask repeats the group's rights, the protocol
// added the mask.
func TestWhatIsWrittenIsTheKernelsList(t *testing.T) {
	r := newRig(t)
	put := func(entries ...Aclent) acl.List {
		t.Helper()
		require.Equal(t, nfs3.NFS3_OK, r.put("/keeps", Secattr{Mask: NFS_ACL, Aclents: entries}).Status)
		require.False(t, r.keeper.asked.HasDefault)
		return r.keeper.asked.Access
	}
	require.Equal(
		t,
		acl.FromMode(0o751),
		put(Aclent{1, 7, 7}, Aclent{4, 8, 5}, Aclent{16, 0, 5}, Aclent{32, 0, 1}),
	)
	require.Equal(
		t,
		acl.FromMode(0o751),
		put(Aclent{32, 9, 1}, Aclent{16, 9, 5}, Aclent{4, 9, 5}, Aclent{1, 9, 7}),
		"in any order",
	)
	require.Equal(
		t,
		acl.List{
			{Tag: acl.UserObj, Perm: 7},
			{Tag: acl.GroupObj, Perm: 5},
			{Tag: acl.Mask, Perm: 4},
			{Tag: acl.Other, Perm: 1},
		},
		put(Aclent{1, 7, 7}, Aclent{4, 8, 5}, Aclent{16, 0, 4}, Aclent{32, 0, 1}),
		"another mask counts",
	)
	require.Equal(
		t,
		acl.List{
			{Tag: acl.UserObj},
			{Tag: acl.User, ID: 1, Perm: 7},
			{Tag: acl.GroupObj, Perm: 5},
			{Tag: acl.Mask, Perm: 5},
			{Tag: acl.Other},
		},
		put(
			Aclent{1, 0, 0},
			Aclent{2, 1, 7},
			Aclent{4, 0, 5},
			Aclent{16, 0, 0xfff5},
			Aclent{32, 0, 0},
		),
		"a mask of more bits",
	)
	require.Nil(t, put(), "none is taken away")
	require.True(t, r.keeper.asked.HasAccess)
}

func TestWhatIsNoListIsRefused(t *testing.T) {
	r := newRig(t)
	fh := nfs3.NfsFh3{Data: r.root("/keeps")}
	for name, s := range map[string]Secattr{
		"rights that there are not": {Mask: NFS_ACL, Aclcnt: 1, Aclents: []Aclent{{1, 0, 8}}},
		"a type that there is not":  {Mask: NFS_ACL, Aclcnt: 1, Aclents: []Aclent{{3, 0, 7}}},
		"a type of many bits":       {Mask: NFS_ACL, Aclcnt: 1, Aclents: []Aclent{{0x10001, 0, 7}}},
		"fewer than there are":      {Mask: NFS_ACL, Aclcnt: 0, Aclents: []Aclent{{1, 0, 7}}},
		"more than there are":       {Mask: NFS_DFACL, Dfaclcnt: 2, Dfaclents: []Aclent{{0x1001, 0, 7}}},
		"a mask that there is not":  {Mask: 32},
	} {
		require.EqualValues(
			t,
			rpctest.GarbageArgs,
			r.reply(ACLPROC3_SETACL, &SETACL3args{Fh: fh, Acl: s}).Accept,
			name,
		)
	}
	require.Zero(t, r.keeper.writes)
	// The back end decides whether entries make a list.
	r.keeper.st = vfs.Inval
	require.Equal(
		t,
		nfs3.NFS3ERR_INVAL,
		r.put("/keeps", Secattr{Mask: NFS_ACL, Aclents: []Aclent{{1, 0, 7}}}).Status,
	)
}

func TestWhoMayAndWhoMayNot(t *testing.T) {
	r := newRig(t)
	entries := []Aclent{{1, 0, 7}, {4, 0, 5}, {32, 0, 1}}
	res := r.put("/reads", Secattr{Mask: NFS_ACL, Aclents: entries})
	require.Equal(t, nfs3.NFS3ERR_ROFS, res.Status)
	require.True(t, res.Attr.AttributesFollow)
	require.Zero(t, r.keeper.writes)
	require.Equal(t, nfs3.NFS3_OK, r.get("/reads", both).Status)
	r.keeper.st = vfs.Perm
	require.Equal(t, nfs3.NFS3ERR_PERM, r.put("/keeps", Secattr{Mask: NFS_ACL, Aclents: entries}).Status)
	require.NotNil(t, r.keeper.cred)

	r.call.Peer = netip.MustParseAddrPort("192.0.2.1:700")
	require.Equal(t, nfs3.NFS3ERR_ACCES, r.get("/keeps", both).Status)
	require.Equal(t, nfs3.NFS3ERR_ACCES, r.put("/keeps", Secattr{Mask: NFS_ACL, Aclents: entries}).Status)
	require.Equal(t, []export.Refusal{export.RefusedAddress, export.RefusedAddress}, r.refused)
	require.Equal(t, 1, r.keeper.writes)
}

// full is a vfs.Payer on a full disc.
type full struct{}

func (full) Pay() vfs.Status { return vfs.NoSpc }

func TestAListThatIsNotOnStableStorageIsNoSuccess(t *testing.T) {
	r := newRig(t)
	r.keeper.owe = func() { require.True(t, r.place.Thread.Debts.Owe(full{})) }
	list := Secattr{Mask: NFS_ACL, Aclents: []Aclent{{1, 0, 7}, {4, 0, 5}, {32, 0, 1}}}
	res := r.put("/keeps", list)
	require.Equal(t, nfs3.NFS3ERR_NOSPC, res.Status)
	require.False(t, res.Attr.AttributesFollow, "they are from before the failure")

	r.keeper.st = vfs.Perm // of the second list, say
	res = r.put("/keeps", list)
	require.Equal(t, nfs3.NFS3ERR_PERM, res.Status, "the first failure is told of")
	require.True(t, res.Attr.AttributesFollow)
}

// In a tree without lists every object has the list that grants the same as its mode, and no list
// can be set.
func TestATreeThatKeepsNoLists(t *testing.T) {
	r := newRig(t)
	res := r.get("/plain", both)
	require.Equal(t, nfs3.NFS3_OK, res.Status)
	require.EqualValues(t, 4, res.Resok.Acl.Aclcnt)
	require.Zero(t, res.Resok.Acl.Dfaclcnt)
	set := r.put("/plain", Secattr{Mask: NFS_ACL, Aclents: []Aclent{{1, 0, 7}, {4, 0, 5}, {32, 0, 1}}})
	require.Equal(t, nfs3.NFS3ERR_NOTSUPP, set.Status)
	require.True(t, set.Attr.AttributesFollow)
}

// A SETACL that is sent again after another one must not give back what the other one removed.
func TestAChangeIsMadeOnce(t *testing.T) {
	procedures := New(new(export.Table), Config{}).Versions[0].Procedures
	require.True(t, procedures[ACLPROC3_SETACL].Once)
	require.False(t, procedures[ACLPROC3_GETACL].Once)
}

func TestFailures(t *testing.T) {
	r := newRig(t)
	for st := vfs.OK + 1; st < vfs.Again; st++ {
		r.keeper.st = st
		res := r.get("/keeps", both)
		require.Equal(t, translate.Status(st), res.Status)
		require.NotEqual(t, nfs3.NFS3_OK, res.Status)
		require.True(t, res.Attr.AttributesFollow)
	}
	r.keeper.st, r.keeper.attr.Mask = vfs.OK, 0
	require.Equal(
		t,
		nfs3.NFS3ERR_SERVERFAULT,
		r.get("/keeps", both).Status,
		"without attributes there is no list",
	)
	res := new(GETACL3res)
	r.ask(ACLPROC3_GETACL, &GETACL3args{Fh: nfs3.NfsFh3{Data: []byte("nobody's")}, Mask: both}, res)
	require.Equal(t, nfs3.NFS3ERR_BADHANDLE, res.Status)
	require.False(t, res.Attr.AttributesFollow)
	require.EqualValues(t, rpctest.GarbageArgs, r.reply(ACLPROC3_GETACL, nil).Accept)
	require.EqualValues(t, rpctest.GarbageArgs, r.reply(ACLPROC3_SETACL, nil).Accept)
}

// The longest lists need more memory than a reply has at first.
func TestTheLongestLists(t *testing.T) {
	r := newRig(t)
	l := acl.List{{Tag: acl.UserObj}, {Tag: acl.GroupObj}, {Tag: acl.Mask}, {Tag: acl.Other}}
	for len(l) < vfs.ACLMax {
		l = append(l, acl.Entry{Tag: acl.User, ID: uint32(len(l)), Perm: 7})
	}
	l.Sort()
	r.keeper.set = vfs.ACLSet{Access: l, Default: l}
	res := r.get("/keeps", both)
	require.Len(t, res.Resok.Acl.Aclents, vfs.ACLMax)
	require.Len(t, res.Resok.Acl.Dfaclents, vfs.ACLMax)
	require.Equal(
		t,
		nfs3.NFS3_OK,
		r.put(
			"/keeps",
			Secattr{
				Mask:      NFS_ACL | NFS_DFACL,
				Aclents:   res.Resok.Acl.Aclents,
				Dfaclents: res.Resok.Acl.Dfaclents,
			},
		).Status,
	)
	require.Equal(t, l, r.keeper.asked.Default)
	require.EqualValues(t, NFS_ACL_MAX_ENTRIES, vfs.ACLMax)
}

func FuzzSETACL(f *testing.F) {
	seed := func(s Secattr) { f.Add(xdrtest.Encode(f, &s)) }
	seed(Secattr{Mask: 5, Aclcnt: 1, Aclents: []Aclent{{1, 2, 3}}})
	seed(Secattr{Mask: 1, Aclcnt: 4, Aclents: []Aclent{{1, 7, 7}, {4, 8, 5}, {16, 0, 5}, {32, 0, 1}}})
	f.Add(binary.BigEndian.AppendUint32(nil, 1))
	f.Fuzz(func(t *testing.T, b []byte) {
		var s Secattr
		var d xdr.Decoder
		d.Reset(b)
		s.Decode(&d)
		if d.Err() != nil {
			return
		}
		l, ok := list(s.Aclents, s.Aclcnt)
		if !ok || len(l) == 0 || !l.Valid() {
			return
		}
		// A list that is sent out and set again is the same list.
		count, out := wire(l, &vfs.Attr{UID: 1, GID: 2}, 0, true)
		again, ok := list(out, count)
		require.True(t, ok)
		require.Equal(t, l, again)
	})
}
