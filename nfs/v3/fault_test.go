package v3

import (
	"bytes"
	"math/rand/v2"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/faultfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// faultRig is a rig over a tree in memory, with one file, that can be made to fail.
func faultRig(t *testing.T) (*rig, *faultfs.FS, []byte) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	f := faultfs.Wrap(memfs.New(memfs.Config{Mode: 0o777}), seed)
	r := newRig(t, Config{}, export.Export{Path: "/x", FS: f})
	fh := bytes.Clone(
		do[nfs3.CREATE3res](
			r,
			nfs3.NFSPROC3_CREATE,
			in(r.root(0), "file").u32(0).mode(0o666),
		).Resok.Obj.Handle.Data,
	)
	return r, f, fh
}

func TestTroubleOfADiscIsNeverSuccess(t *testing.T) {
	for _, st := range []vfs.Status{vfs.IO, vfs.NoSpc, vfs.DQuot, vfs.ROFS, vfs.Delay} {
		t.Run(st.String(), func(t *testing.T) {
			r, f, fh := faultRig(t)
			root := r.root(0)
			before := bytes.Clone(r.raw(nfs3.NFSPROC3_READDIR, on(root).u64(0, 0).u32(4096).b))
			f.Add(faultfs.Rule{Status: st})
			for proc, a := range examples(fh, root) {
				if proc != nfs3.NFSPROC3_NULL {
					require.EqualValues(t, status(proc, st), r.status(proc, a), name(proc))
				}
			}
			f.Clear()
			require.Equal(
				t,
				before,
				r.raw(nfs3.NFSPROC3_READDIR, on(root).u64(0, 0).u32(4096).b),
				"nothing was changed",
			)
		})
	}
}

func TestAChangeThatFailedHalfwayShowsInItsAttributes(t *testing.T) {
	r, f, fh := faultRig(t)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Write}, Status: vfs.IO, AfterDone: true})
	res := do[nfs3.WRITE3res](r, nfs3.NFSPROC3_WRITE, on(fh).u64(0).u32(5, 2).str("hello"))
	require.Equal(t, nfs3.NFS3ERR_IO, res.Status)
	wcc := res.Resfail.FileWcc
	require.True(t, wcc.Before.AttributesFollow)
	require.True(t, wcc.After.AttributesFollow)
	require.EqualValues(t, 0, wcc.Before.Attributes.Size)
	require.EqualValues(t, 5, wcc.After.Attributes.Size)
}

func TestAFailedCommitChangesTheVerifier(t *testing.T) {
	r, f, fh := faultRig(t)
	written := do[nfs3.WRITE3res](r, nfs3.NFSPROC3_WRITE, on(fh).u64(0).u32(5, 0).str("hello"))
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Commit}, Status: vfs.IO, Count: 1})
	require.Equal(t, nfs3.NFS3ERR_IO, r.status(nfs3.NFSPROC3_COMMIT, on(fh).u64(0).u32(0)))
	commit := do[nfs3.COMMIT3res](r, nfs3.NFSPROC3_COMMIT, on(fh).u64(0).u32(0))
	require.Equal(t, nfs3.NFS3_OK, commit.Status)
	require.NotEqual(t, written.Resok.Verf, commit.Resok.Verf, "so that the client writes again")
}

func TestShortTransfersSayHowShort(t *testing.T) {
	r, f, fh := faultRig(t)
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Write, faultfs.Read}, Short: 7})
	data := pattern(100)
	w := do[nfs3.WRITE3res](r, nfs3.NFSPROC3_WRITE, on(fh).u64(0).u32(100, 0).opaque(data))
	require.EqualValues(t, 7, w.Resok.Count)
	f.Clear()
	require.Equal(t, nfs3.NFS3_OK, r.status(nfs3.NFSPROC3_WRITE, on(fh).u64(0).u32(100, 0).opaque(data)))
	f.Add(faultfs.Rule{Ops: []faultfs.Op{faultfs.Read}, Short: 7})
	for _, off := range []uint64{0, 50, 96} {
		res := do[nfs3.READ3res](r, nfs3.NFSPROC3_READ, on(fh).u64(off).u32(100))
		require.Equal(t, data[off:min(off+7, 100)], res.Resok.Data)
		require.EqualValues(t, len(res.Resok.Data), res.Resok.Count)
	}
}

// TestCallsOfALaneEndAsTheyDoOnAWorker plays the same calls on two trees: on one with a lane that
// must often hand over, on the other with a worker alone.
func TestCallsOfALaneEndAsTheyDoOnAWorker(t *testing.T) {
	plain, _, plainFile := faultRig(t)
	r, f, fh := faultRig(t)
	f.Add(faultfs.Rule{Threads: faultfs.LaneOnly, Status: vfs.Again, OneIn: 2})
	waited := 0
	for range 40 {
		there := examples(plainFile, plain.root(0))
		for proc, a := range examples(fh, r.root(0)) {
			if proc == nfs3.NFSPROC3_NULL {
				continue
			}
			r.place = 0
			out, _, b := r.run(r.record(proc, a.b), r.reply)
			if out == rpc.Wait {
				waited++
				r.call.Place = &r.places[1]
				require.Equal(t, rpc.Done, r.server.RunSettled(&r.call))
				b = r.call.Reply.Bytes()[acceptedLen:]
			}
			decode(t, proc, b)
			got := statusOf(b)
			require.Equal(t, plain.status(proc, there[proc]), got, name(proc))
		}
	}
	require.NotZero(t, waited)
}
