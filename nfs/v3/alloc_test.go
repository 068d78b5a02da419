package v3

import (
	"net/netip"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// runner calls one procedure again and again, as a lane does: with a Call from
// its pool and memory for the reply, both used before.
type runner struct {
	c      *rpc.Call
	handle func(*rpc.Call) rpc.Outcome
	args   xdr.Decoder
	reply  []byte
}

// newRunner prepares calls of proc on a fake whose content is one MiB.
func newRunner(t testing.TB, proc int, a *args, segment int) *runner {
	t.Helper()
	f := newFake()
	f.view.content = make([]byte, 1<<20)
	f.view.link = "a target of a common length"
	f.view.fill(100)
	f.view.written = make([]byte, 0, 2<<20)
	r := newRig(t, Config{}, export.Export{Path: "/x", FS: f})
	fh := r.root(0)
	if a == nil {
		a = examples(fh, fh)[proc]
	} else {
		a = &args{append(on(fh).b, a.b...)}
	}
	n := &runner{
		c:      new(rpc.Call),
		handle: New(r.table, Config{}).Versions[0].Procedures[proc].Handle,
		reply:  make([]byte, 2<<20),
	}
	n.c.Place = &rpc.Place{Index: 0, Thread: &vfs.Thread{}}
	n.c.Peer = netip.MustParseAddrPort("127.0.0.1:700")
	n.c.Auth.UID, n.c.Auth.GID = 1000, 1000
	if segment > 0 {
		n.args.ResetSegments(cut(a.b, segment))
	} else {
		n.args.Reset(a.b)
	}
	return n
}

func (n *runner) run() bool {
	n.c.Args = n.args
	n.c.Reply.Reset(n.reply)
	return n.handle(n.c) == rpc.Done && n.c.Reply.Err() == nil
}

// hot are calls as clients make them.
func hot() map[string]func(testing.TB) *runner {
	calls := map[string]func(testing.TB) *runner{
		"READ 4 KiB": func(t testing.TB) *runner { return newRunner(t, nfs3.NFSPROC3_READ, new(args).u64(4096).u32(4096), 0) },
		"READ 1 MiB": func(t testing.TB) *runner { return newRunner(t, nfs3.NFSPROC3_READ, new(args).u64(0).u32(1<<20), 0) },
		"WRITE 4 KiB": func(t testing.TB) *runner {
			return newRunner(
				t,
				nfs3.NFSPROC3_WRITE,
				new(args).u64(0).u32(4096, 0).opaque(make([]byte, 4096)),
				0,
			)
		},
		"WRITE 1 MiB": func(t testing.TB) *runner {
			return newRunner(
				t,
				nfs3.NFSPROC3_WRITE,
				new(args).u64(0).u32(1<<20, 0).opaque(make([]byte, 1<<20)),
				65536,
			)
		},
		"WRITE in crumb": func(t testing.TB) *runner {
			return newRunner(
				t,
				nfs3.NFSPROC3_WRITE,
				new(args).u64(0).u32(4096, 0).opaque(make([]byte, 4096)),
				1000,
			)
		},
	}
	for proc := range procedures {
		calls[name(proc)] = func(t testing.TB) *runner { return newRunner(t, proc, nil, 0) }
	}
	return calls
}

func TestNoProcedureAllocates(t *testing.T) {
	for call, prepare := range hot() {
		t.Run(call, func(t *testing.T) {
			n := prepare(t)
			require.True(t, n.run())
			require.Zero(t, testing.AllocsPerRun(100, func() { n.run() }))
		})
	}
}

func BenchmarkProcedures(b *testing.B) {
	for _, call := range []string{
		"NULL", "GETATTR", "LOOKUP", "ACCESS", "READ 4 KiB", "READ 1 MiB", "WRITE 4 KiB", "WRITE 1 MiB",
		"CREATE", "READDIR", "READDIRPLUS", "COMMIT", "FSINFO",
	} {
		b.Run(call, func(b *testing.B) {
			n := hot()[call](b)
			b.ReportAllocs()
			for b.Loop() {
				n.run()
			}
		})
	}
}

// BenchmarkGenerated measures what the generated codec needs for the same results.
func BenchmarkGenerated(b *testing.B) {
	f := newFake()
	res := nfs3.GETATTR3res{Resok: nfs3.GETATTR3resok{ObjAttributes: attrOf(&f.view.attr)}}
	var e xdr.Encoder
	reply := make([]byte, 1024)
	b.ReportAllocs()
	for b.Loop() {
		e.Reset(reply)
		res.Encode(&e)
	}
}
