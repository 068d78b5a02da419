package v3

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
)

func TestHandlesThatWereNotGivenOut(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	good := r.root(0)
	forged := append([]byte(nil), good...)
	forged[len(forged)-1] ^= 1
	moved := append([]byte(nil), good...)
	moved[2] ^= 1
	other, err := export.NewTable(export.Key{9}, 1, []export.Export{{Path: "/x", FS: newFake()}})
	require.NoError(t, err)
	h := f.Root()
	foreign := other.Seal(other.Exports()[0], &h, nil)

	for _, c := range []struct {
		name string
		fh   []byte
		want nfs3.Nfsstat3
	}{
		{"forged tag", forged, nfs3.NFS3ERR_STALE},
		{"another export's number", moved, nfs3.NFS3ERR_STALE},
		{"another server's", foreign, nfs3.NFS3ERR_STALE},
		{"empty", nil, nfs3.NFS3ERR_BADHANDLE},
		{"cut short", good[:len(good)-1], nfs3.NFS3ERR_BADHANDLE},
		{"extended", append(append([]byte(nil), good...), 0), nfs3.NFS3ERR_BADHANDLE},
		{"64 zeros", make([]byte, 64), nfs3.NFS3ERR_BADHANDLE},
	} {
		t.Run(c.name, func(t *testing.T) {
			for proc, a := range examples(c.fh, c.fh) {
				if proc == nfs3.NFSPROC3_NULL {
					continue
				}
				require.Equal(t, c.want, r.status(proc, a), name(proc))
			}
			for proc, a := range examples(good, c.fh) {
				if proc == nfs3.NFSPROC3_RENAME || proc == nfs3.NFSPROC3_LINK {
					require.Equal(t, c.want, r.status(proc, a), "the second handle of %s", name(proc))
				}
			}
		})
	}
	require.Zero(t, f.view.calls, "nothing reached the file system")

	for proc, a := range examples(make([]byte, 65), make([]byte, 65)) {
		if proc != nfs3.NFSPROC3_NULL {
			require.Equal(t, rpc.GarbageArgs, r.outcome(proc, a.b), "65 bytes in %s", name(proc))
		}
	}
}

func TestStrangersAreRefused(t *testing.T) {
	r, f := fakeRig(t, export.Options{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for proc, a := range examples(r.root(0), r.root(0)) {
		if proc == nfs3.NFSPROC3_NULL {
			continue
		}
		b := r.raw(proc, a.b)
		decode(t, proc, b)
		require.Equal(t, nfs3.NFS3ERR_ACCES, statusOf(b), name(proc))
		require.Less(t, len(b), fattrLen, "%s shows attributes to a stranger", name(proc))
	}
	require.Zero(t, f.view.calls)

	r.peer = netip.MustParseAddrPort("[::ffff:192.0.2.7]:700")
	require.Equal(
		t,
		nfs3.NFS3_OK,
		r.status(nfs3.NFSPROC3_GETATTR, on(r.root(0))),
		"an IPv4 address mapped into IPv6",
	)
}

func TestEachCallIsJudgedByWhereItComesFrom(t *testing.T) {
	some := export.Options{Allow: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}}
	all := export.Options{Allow: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}, Insecure: true}
	r := newRig(
		t,
		Config{},
		export.Export{Path: "/a", FS: newFake(), Options: some},
		export.Export{Path: "/b", FS: newFake(), Options: all},
	)
	local := &rpc.Origin{Trust: rpc.Believed}
	for i, call := range []struct {
		export int
		peer   string
		origin *rpc.Origin
		want   nfs3.Nfsstat3
	}{
		{0, "192.0.2.7:700", nil, nfs3.NFS3_OK},
		{0, "192.0.2.7:700", nil, nfs3.NFS3_OK},
		{0, "192.0.2.7:5000", nil, nfs3.NFS3ERR_ACCES},
		{0, "192.0.2.7:5000", local, nfs3.NFS3_OK},
		{0, "192.0.2.7:5000", nil, nfs3.NFS3ERR_ACCES},
		{0, "192.0.2.8:700", nil, nfs3.NFS3_OK},
		{0, "198.51.100.8:700", nil, nfs3.NFS3ERR_ACCES},
		{1, "198.51.100.8:700", nil, nfs3.NFS3_OK},
		{0, "198.51.100.8:700", nil, nfs3.NFS3ERR_ACCES},
		{1, "192.0.2.7:5000", nil, nfs3.NFS3_OK},
		{0, "192.0.2.7:5000", nil, nfs3.NFS3ERR_ACCES},
	} {
		r.peer, r.origin = netip.MustParseAddrPort(call.peer), call.origin
		require.Equal(t, call.want, r.status(nfs3.NFSPROC3_GETATTR, on(r.root(call.export))), "call %d", i)
	}
}

func TestAReadOnlyExportRefusesChanges(t *testing.T) {
	r, f := fakeRig(t, export.Options{ReadOnly: true})
	all := examples(r.root(0), r.root(0))
	for _, proc := range changing {
		b := r.raw(proc, all[proc].b)
		decode(t, proc, b)
		require.Equal(t, nfs3.NFS3ERR_ROFS, statusOf(b), name(proc))
		require.Greater(t, len(b), fattrLen, "%s has the attributes after it", name(proc))
	}
	require.Zero(t, f.view.calls)
	for _, proc := range []int{nfs3.NFSPROC3_GETATTR, nfs3.NFSPROC3_LOOKUP, nfs3.NFSPROC3_ACCESS, nfs3.NFSPROC3_READLINK, nfs3.NFSPROC3_READ, nfs3.NFSPROC3_READDIR, nfs3.NFSPROC3_READDIRPLUS, nfs3.NFSPROC3_FSSTAT, nfs3.NFSPROC3_FSINFO, nfs3.NFSPROC3_PATHCONF, nfs3.NFSPROC3_COMMIT} {
		require.Equal(t, nfs3.NFS3_OK, r.status(proc, all[proc]), name(proc))
	}
	res := do[nfs3.ACCESS3res](r, nfs3.NFSPROC3_ACCESS, on(r.root(0)).u32(0x3f))
	require.EqualValues(
		t,
		nfs3.ACCESS3_READ|nfs3.ACCESS3_EXECUTE,
		res.Resok.Access,
		"no right to change is granted",
	)
}

func TestHandlesOfTwoExportsDoNotMix(t *testing.T) {
	a, b := newFake(), newFake()
	r := newRig(t, Config{}, export.Export{Path: "/a", FS: a}, export.Export{Path: "/b", FS: b})
	for proc, x := range examples(r.root(0), r.root(1)) {
		if proc == nfs3.NFSPROC3_LINK {
			res := do[nfs3.LINK3res](r, proc, x)
			require.Equal(t, nfs3.NFS3ERR_XDEV, res.Status)
		}
	}
	res := do[nfs3.RENAME3res](
		r,
		nfs3.NFSPROC3_RENAME,
		&args{append(in(r.root(0), "n").b, in(r.root(1), "n").b...)},
	)
	require.Equal(t, nfs3.NFS3ERR_XDEV, res.Status)
	require.Zero(t, a.view.calls+b.view.calls)

	ro := newRig(
		t,
		Config{},
		export.Export{Path: "/a", FS: newFake()},
		export.Export{Path: "/b", FS: newFake(), Options: export.Options{ReadOnly: true}},
	)
	require.Equal(
		t,
		nfs3.NFS3ERR_ROFS,
		ro.status(nfs3.NFSPROC3_RENAME, &args{append(in(ro.root(0), "n").b, in(ro.root(1), "n").b...)}),
	)
}

func TestTheCallersCredentialReachesTheFileSystem(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	r.uid, r.gid, r.groups = 0, 0, []uint32{0, 7}
	all := examples(r.root(0), r.root(0))
	for proc, a := range all {
		switch proc {
		case nfs3.NFSPROC3_NULL, nfs3.NFSPROC3_GETATTR, nfs3.NFSPROC3_FSINFO, nfs3.NFSPROC3_PATHCONF:
			continue
		}
		f.view.cred = nil
		require.Equal(t, nfs3.NFS3_OK, r.status(proc, a), name(proc))
		require.NotNil(t, f.view.cred, name(proc))
		require.Equal(t, uint32(export.Nobody), f.view.cred.UID, "%s squashes root", name(proc))
		require.Equal(t, []uint32{export.Nobody, 7}, f.view.cred.Groups, name(proc))
	}
	r.uid, r.gid, r.groups = 1000, 100, []uint32{5, 6}
	require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_READ, all[nfs3.NFSPROC3_READ]))
	require.Equal(t, uint32(1000), f.view.cred.UID)
	require.Equal(t, uint32(100), f.view.cred.GID)
	require.Equal(t, []uint32{5, 6}, f.view.cred.Groups)
}
