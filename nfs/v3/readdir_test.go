package v3

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// fill gives the fake's directory n entries with names of many lengths, some
// without a handle or attributes.
func (v *fakeView) fill(n int) {
	v.entries = nil
	for i := range n {
		v.entries = append(v.entries, vfs.DirEntry{
			FileID: uint64(i) << 33, Cookie: uint64(i + 1),
			Name:     fmt.Appendf(nil, "%d%s", i, strings.Repeat("n", i*7%250)),
			HasEntry: i%5 != 3, Entry: vfs.Entry{Handle: v.made, Attr: v.attr},
		})
		if i%7 == 2 {
			v.entries[i].Entry.Attr.Mask = 0
		}
	}
}

// info is what dircount counts of an entry: id, name with its length, cookie.
func info(name []byte) int { return 8 + 4 + (len(name)+3)&^3 + 8 }

func TestDirectoriesAreReadWithinTheirBudgets(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	const entries = 120
	f.view.fill(entries)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for range 60 {
		f.view.bare = random.IntN(4) == 0
		f.view.attrSt = []vfs.Status{vfs.OK, vfs.IO}[random.IntN(2)]
		plus := random.IntN(2) == 0
		seen := uint64(0)
		for stuck := 0; seen < entries && stuck < 5; {
			most := uint32(random.IntN(4000))
			names := uint32(random.IntN(2000))
			var size, used, n int
			var eof bool
			var status nfs3.Nfsstat3
			if plus {
				b := append(
					[]byte(nil),
					r.raw(nfs3.NFSPROC3_READDIRPLUS, on(r.root(0)).u64(seen, 0x99).u32(names, most).b)...)
				size = len(b) - 4
				res := decode(t, nfs3.NFSPROC3_READDIRPLUS, b).(*nfs3.READDIRPLUS3res)
				status, eof, n = res.Status, res.Resok.Reply.Eof, len(res.Resok.Reply.Entries)
				for i, e := range res.Resok.Reply.Entries {
					x := &f.view.entries[seen+uint64(i)]
					require.Equal(t, string(x.Name), string(e.Name))
					require.EqualValues(t, x.FileID, e.Fileid)
					require.EqualValues(t, x.Cookie, e.Cookie)
					if i > 0 {
						require.Equal(t, x.HasEntry, e.NameHandle.HandleFollows)
						require.Equal(
							t,
							x.HasEntry && x.Entry.Attr.Filled(),
							e.NameAttributes.AttributesFollow,
						)
					}
					used += info(e.Name)
				}
				if n > 1 {
					require.LessOrEqual(t, used, int(names), "dircount")
				}
			} else {
				b := append([]byte(nil), r.raw(nfs3.NFSPROC3_READDIR, on(r.root(0)).u64(seen, 0x99).u32(most).b)...)
				size = len(b) - 4
				res := decode(t, nfs3.NFSPROC3_READDIR, b).(*nfs3.READDIR3res)
				status, eof, n = res.Status, res.Resok.Reply.Eof, len(res.Resok.Reply.Entries)
				for i, e := range res.Resok.Reply.Entries {
					x := &f.view.entries[seen+uint64(i)]
					require.Equal(t, string(x.Name), string(e.Name))
					require.EqualValues(t, x.FileID, e.Fileid)
					require.EqualValues(t, x.Cookie, e.Cookie)
				}
			}
			if status == nfs3.NFS3ERR_TOOSMALL {
				stuck++
				continue
			}
			require.Equal(t, nfs3.NFS3_OK, status)
			require.LessOrEqual(t, size, int(most), "the results, status aside")
			require.NotZero(t, n, "success makes progress")
			seen += uint64(n)
			require.Equal(t, seen == entries, eof)
			stuck = 0
		}
	}
}

func TestASmallDircountStillGivesAnEntry(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.fill(10)
	for _, names := range []uint32{0, 1, 24, uint32(info(f.view.entries[0].Name))} {
		res := do[nfs3.READDIRPLUS3res](
			r,
			nfs3.NFSPROC3_READDIRPLUS,
			on(r.root(0)).u64(0, 0).u32(names, 8192),
		)
		require.Equal(t, nfs3.NFS3_OK, res.Status)
		require.Len(t, res.Resok.Reply.Entries, 1)
		require.False(t, res.Resok.Reply.Eof)
	}
}

func TestADirectoryOfOneReplyFillsItsBudget(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	f.view.fill(10)
	res := do[nfs3.READDIR3res](r, nfs3.NFSPROC3_READDIR, on(r.root(0)).u64(0, 0).u32(1<<32-1))
	require.Len(t, res.Resok.Reply.Entries, 10)
	require.True(t, res.Resok.Reply.Eof)
	b := r.raw(nfs3.NFSPROC3_READDIR, on(r.root(0)).u64(0, 0).u32(1<<32-1).b)
	exact := uint32(len(b) - 4)
	res = do[nfs3.READDIR3res](r, nfs3.NFSPROC3_READDIR, on(r.root(0)).u64(0, 0).u32(exact))
	require.Len(t, res.Resok.Reply.Entries, 10, "exactly enough is enough")
	res = do[nfs3.READDIR3res](r, nfs3.NFSPROC3_READDIR, on(r.root(0)).u64(0, 0).u32(exact-1))
	require.Len(t, res.Resok.Reply.Entries, 9, "one byte less is not")
	require.False(t, res.Resok.Reply.Eof)
}

func TestAnEmptyRestOfADirectoryEndsIt(t *testing.T) {
	r, f := fakeRig(t, export.Options{})
	res := do[nfs3.READDIR3res](
		r,
		nfs3.NFSPROC3_READDIR,
		on(r.root(0)).u64(5, 0x99).u32(dirHeader+dirTrailer),
	)
	require.Equal(t, nfs3.NFS3_OK, res.Status)
	require.True(t, res.Resok.Reply.Eof)
	require.Empty(t, res.Resok.Reply.Entries)
	require.Equal(
		t,
		nfs3.NFS3ERR_TOOSMALL,
		r.status(nfs3.NFSPROC3_READDIR, on(r.root(0)).u64(5, 0x99).u32(dirHeader+dirTrailer-1)),
	)
	require.EqualValues(t, 5, f.view.cookie)
	require.EqualValues(t, 0x99, f.view.verf)
}

func TestRepliesToReaddirAreBounded(t *testing.T) {
	f := newFake()
	f.view.fill(5000)
	r := newRig(t, Config{ReadDirMax: 8192}, export.Export{Path: "/x", FS: f})
	for _, most := range []uint32{8192, 8193, 1 << 20, 1<<32 - 1} {
		b := r.raw(nfs3.NFSPROC3_READDIR, on(r.root(0)).u64(0, 0).u32(most).b)
		require.LessOrEqual(t, len(b), 4+8192)
		require.Greater(t, len(b), 7000)
		b = r.raw(nfs3.NFSPROC3_READDIRPLUS, on(r.root(0)).u64(0, 0).u32(most, most).b)
		require.LessOrEqual(t, len(b), 4+8192)
		require.Greater(t, len(b), 7000)
	}
	record := r.record(nfs3.NFSPROC3_READDIRPLUS, on(r.root(0)).u64(0, 0).u32(1<<32-1, 1<<32-1).b)
	f.view.calls = 0
	out, _, _ := r.run(record, make([]byte, 2048))
	require.Equal(t, rpc.Grow, out)
	require.Zero(t, f.view.calls, "the room is asked for first")
	require.LessOrEqual(t, r.call.Need, acceptedLen+4+8192)
	out, _, _ = r.run(record, make([]byte, r.call.Need))
	require.Equal(t, rpc.Done, out)
}
