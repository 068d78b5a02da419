package v4

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
	"github.com/ringnfs/ringnfs/nfs/vfs/memfs"
)

// limits of a server that is soon full.
const (
	clientsMax     = 20
	unconfirmedMax = 50
	sessionsMemory = 1 << 20 // bytes of sessions, slots and kept replies
	statesMax      = 2000
	statesMemory   = 1 << 20 // bytes of opens and locks
)

// flooded is a server that is soon full, with two clients that are there before the others come: of
// 4.0 and of 4.1. Each has a file open and a lock on it.
type flooded struct {
	*rig
	now  *uint32
	file func(name, content string)

	old     *session
	oldOpen nfs4.Stateid4
	id0     uint64 // of the client of 4.0
	seq0    uint32 // of its open owner
	open0   nfs4.Stateid4
}

func newFlooded(t *testing.T) *flooded {
	fl := &flooded{now: new(uint32)}
	fs := memfs.New(memfs.Config{Mode: 0o777})
	cfg := remembersIn(fl.now, func(c *state.Config, f *files.Config) {
		c.ClientsMax, c.UnconfirmedMax, c.MemoryMax = clientsMax, unconfirmedMax, sessionsMemory
		f.StatesMax, f.MemoryMax = statesMax, statesMemory
	})
	fl.rig = newRig(t, cfg, export.Export{Path: "/x", FS: fs, Options: export.Options{Squash: export.SquashNone}})
	fl.file = maker(t, fl.rig, fs)
	fl.file("old", "content")
	fl.old = fl.sessionAs("old", agreed{1 << 16, 1 << 16, 1 << 12, 16, 4})
	fl.oldOpen = opens(fl.ok(in(fl.old.sequence(), append(walk("x"), openOp("o", "old", 3, 0, nfs4.OPEN4_NOCREATE))...)...))
	fl.ok(in(fl.old.sequence(), append(walk("x", "old"), lockOp(fl.oldOpen, "l", nfs4.WRITE_LT, 0, 5))...)...)
	fl.minor = 0
	fl.id0 = fl.client0("old0")
	fl.seq0 = 1
	fl.open0 = fl.open40(fl.id0, "o0", "old", fl.seq0)
	fl.seq0++
	return fl
}

// survives checks that those who were there before are served as before.
func (fl *flooded) survives() {
	fl.t.Helper()
	minor := fl.minor
	defer func() { fl.minor = minor }()
	fl.minor = 1
	read := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Stateid: fl.oldOpen, Count: 7}}
	res := fl.ok(in(fl.old.sequence(), append(walk("x", "old"), read)...)...)
	require.Equal(fl.t, "content", string(res[len(res)-1].Opread.Resok4.Data))
	fl.fails(nfs4.NFS4ERR_DENIED, in(fl.old.sequence(), append(walk("x", "old"), locktOp("other", nfs4.READ_LT, 0, 1))...)...)
	fl.minor = 0
	read.Opread.Stateid = fl.open0
	fl.ok(append(walk("x", "old"), read)...)
	fl.ok(nfs4.NfsArgop4{Argop: nfs4.OP_RENEW, Oprenew: nfs4.RENEW4args{Clientid: nfs4.Clientid4(fl.id0)}})
	n := fl.cfg.State.Counts()
	require.LessOrEqual(fl.t, n.Bytes, int64(sessionsMemory))
	require.LessOrEqual(fl.t, n.Clients, clientsMax)
	require.LessOrEqual(fl.t, n.Unconfirmed, unconfirmedMax)
	require.Zero(fl.t, n.SlotsBusy)
	held := fl.cfg.Files.Counts()
	require.LessOrEqual(fl.t, held.Bytes, int64(statesMemory+8<<10))
	require.LessOrEqual(fl.t, held.Opens+held.Locks+held.Dead, statesMax)
}

// fresh checks that somebody who comes now, and asks for little, gets it.
func (fl *flooded) fresh() {
	fl.t.Helper()
	fl.file("fresh", "content")
	s := fl.sessionAs("fresh", agreed{1 << 16, 1 << 16, 1 << 12, 16, 4})
	s.keep = true
	id := opens(fl.ok(in(s.sequence(), append(walk("x"), openOp("o", "fresh", 3, 0, nfs4.OPEN4_NOCREATE))...)...))
	fl.ok(in(s.sequence(), append(walk("x", "fresh"), lockOp(id, "l", nfs4.WRITE_LT, 0, 5))...)...)
}

// client0 makes a client of minor version 0.
func (r *rig) client0(owner string) uint64 {
	r.t.Helper()
	got := r.ok(setclientid(owner, "127.0.0.1.8.1"))[0].Opsetclientid.Resok4
	r.ok(nfs4.NfsArgop4{Argop: nfs4.OP_SETCLIENTID_CONFIRM, OpsetclientidConfirm: nfs4.SETCLIENTIDCONFIRM4args(got)})
	return uint64(got.Clientid)
}

func setclientid(owner, addr string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_SETCLIENTID, Opsetclientid: nfs4.SETCLIENTID4args{
		Client: nfs4.NfsClientId4{Verifier: nfs4.Verifier4{1}, Id: []byte(owner)},
		Callback: nfs4.CbClient4{CbProgram: 7,
			CbLocation: nfs4.Netaddr4{NaRNetid: []byte("tcp"), NaRAddr: []byte(addr)}},
	}}
}

// open40 opens a file of /x for an owner of 4.0 and confirms that.
func (r *rig) open40(client uint64, owner, name string, seqid uint32) nfs4.Stateid4 {
	r.t.Helper()
	op := openOp(owner, name, 3, 0, nfs4.OPEN4_NOCREATE)
	op.Opopen.Owner.Clientid, op.Opopen.Seqid = nfs4.Clientid4(client), nfs4.Seqid4(seqid)
	id := opens(r.ok(append(walk("x"), op)...))
	res := r.ok(append(walk("x", name), nfs4.NfsArgop4{Argop: nfs4.OP_OPEN_CONFIRM,
		OpopenConfirm: nfs4.OPENCONFIRM4args{OpenStateid: id, Seqid: nfs4.Seqid4(seqid + 1)}})...)
	return res[len(res)-1].OpopenConfirm.Resok4.OpenStateid
}

// tolerated fails the test when a flood meets anything but an end of its room.
func tolerated(t *testing.T, st nfs4.Nfsstat4) {
	t.Helper()
	switch st {
	case nfs4.NFS4_OK, nfs4.NFS4ERR_DELAY, nfs4.NFS4ERR_RESOURCE, nfs4.NFS4ERR_NOSPC:
	default:
		t.Fatalf("a flood is told %v", st)
	}
}

func TestFloodsLeaveOthersServed(t *testing.T) {
	long := strings.Repeat("x", 900)
	name := func(i int) string { return fmt.Sprint(long, i) }
	callbacks := make([]nfs4.CallbackSecParms4, 64)
	for i := range callbacks {
		callbacks[i] = nfs4.CallbackSecParms4{CbSecflavor: rpc.AuthSys,
			CbspSysCred: nfs4.AuthsysParms{Machinename: []byte(long[:255]), Gids: make([]uint32, 16)}}
	}
	channel := nfs4.ChannelAttrs4{CaMaxrequestsize: 1 << 16, CaMaxresponsesize: 1 << 16,
		CaMaxresponsesizeCached: 1 << 12, CaMaxoperations: 16, CaMaxrequests: 64}
	create := func(id nfs4.Clientid4, seqid nfs4.Sequenceid4) nfs4.NfsArgop4 {
		return nfs4.NfsArgop4{Argop: nfs4.OP_CREATE_SESSION, OpcreateSession: nfs4.CREATESESSION4args{
			CsaClientid: id, CsaSequence: seqid, CsaForeChanAttrs: channel, CsaSecParms: callbacks}}
	}
	for what, flood := range map[string]func(t *testing.T, fl *flooded){
		"EXCHANGE_ID": func(t *testing.T, fl *flooded) {
			fl.minor = 1
			for i := range 1000 {
				tolerated(t, fl.do(exchange(name(i), 0)).Status)
			}
			require.Equal(t, unconfirmedMax, fl.cfg.State.Counts().Unconfirmed, "the bound is met")
		},
		"SETCLIENTID": func(t *testing.T, fl *flooded) {
			fl.minor = 0
			for i := range 1000 {
				tolerated(t, fl.do(setclientid(name(i), long)).Status)
			}
			require.Equal(t, unconfirmedMax, fl.cfg.State.Counts().Unconfirmed, "the bound is met")
		},
		"SETCLIENTID_CONFIRM": func(t *testing.T, fl *flooded) {
			fl.minor = 0
			refused := 0
			for i := range 100 {
				got := fl.ok(setclientid(name(i), long))[0].Opsetclientid.Resok4
				st := fl.do(nfs4.NfsArgop4{Argop: nfs4.OP_SETCLIENTID_CONFIRM,
					OpsetclientidConfirm: nfs4.SETCLIENTIDCONFIRM4args(got)}).Status
				if tolerated(t, st); st != nfs4.NFS4_OK {
					refused++
				}
			}
			require.Equal(t, 100-clientsMax+2, refused)
			*fl.now += 46 // those who do not renew make way
			fl.comeBack()
		},
		"CREATE_SESSION of many clients": func(t *testing.T, fl *flooded) {
			fl.minor = 1
			refused := 0
			for i := range 100 {
				id := fl.ok(exchange(name(i), 0))[0].OpexchangeId.EirResok4
				st := fl.do(create(id.EirClientid, id.EirSequenceid)).Status
				if tolerated(t, st); st != nfs4.NFS4_OK {
					refused++
				}
			}
			require.Equal(t, 100-clientsMax+2, refused)
			*fl.now += 46
			fl.comeBack()
		},
		"CREATE_SESSION of one client": func(t *testing.T, fl *flooded) {
			fl.minor = 1
			id := fl.ok(exchange("flood", 0))[0].OpexchangeId.EirResok4
			refused := 0
			for range 200 {
				st := fl.do(create(id.EirClientid, id.EirSequenceid)).Status
				if tolerated(t, st); st == nfs4.NFS4ERR_DELAY {
					refused++
					continue
				}
				id.EirSequenceid++
			}
			require.LessOrEqual(t, fl.cfg.State.Counts().Sessions, 17)
		},
		"kept replies of many sessions": func(t *testing.T, fl *flooded) {
			fl.minor = 1
			refused := 0
			for c := range 10 {
				id := fl.ok(exchange(name(c), 0))[0].OpexchangeId.EirResok4
				for range 4 {
					got := fl.do(create(id.EirClientid, id.EirSequenceid))
					if tolerated(t, got.Status); got.Status != nfs4.NFS4_OK {
						break
					}
					id.EirSequenceid++
					s := &session{r: fl.rig, id: got.Resarray[0].OpcreateSession.CsrResok4.CsrSessionid,
						highest: 63, keep: true}
					for s.slot = 0; s.slot < 64; s.slot++ {
						ops := []nfs4.NfsArgop4{s.sequence(), putroot()}
						for range 14 {
							ops = append(ops, getattr(0, 1, 3, 4, 8, 20, 33, 35, 36, 37, 45, 47, 52, 53))
						}
						st := fl.do(ops...).Status
						if tolerated(t, st); st == nfs4.NFS4ERR_DELAY {
							refused++
						}
					}
				}
			}
			require.Positive(t, refused, "the bound is met")
		},
		"OPEN": func(t *testing.T, fl *flooded) {
			refused := 0
			for c := range 4 {
				s := fl.sessionAs(fmt.Sprint("flood", c), agreed{1 << 16, 1 << 16, 1 << 12, 16, 4})
				for i := range statesMax {
					st := fl.do(in(s.sequence(), append(walk("x"), openOp(name(i), "old", 1, 0, nfs4.OPEN4_NOCREATE))...)...).Status
					if tolerated(t, st); st != nfs4.NFS4_OK {
						refused++
					}
				}
			}
			require.Positive(t, refused, "the bound is met")
		},
		"OPEN of 4.0": func(t *testing.T, fl *flooded) {
			fl.minor = 0
			refused := 0
			for c := range 4 {
				id := fl.client0(fmt.Sprint("flood", c))
				for i := range statesMax {
					op := openOp(name(i), "old", 1, 0, nfs4.OPEN4_NOCREATE)
					op.Opopen.Owner.Clientid = nfs4.Clientid4(id)
					st := fl.do(append(walk("x"), op)...).Status
					if tolerated(t, st); st != nfs4.NFS4_OK {
						refused++
					}
				}
			}
			require.Positive(t, refused, "the bound is met")
		},
		"OPEN of 4.0 that fails": func(t *testing.T, fl *flooded) {
			fl.minor = 0
			id := fl.client0("flood")
			for i := range statesMax {
				op := openOp(name(i), "nothing", 1, 0, nfs4.OPEN4_NOCREATE)
				op.Opopen.Owner.Clientid = nfs4.Clientid4(id)
				if st := fl.do(append(walk("x"), op)...).Status; st != nfs4.NFS4ERR_NOENT {
					tolerated(t, st)
				}
			}
		},
		"LOCK by many owners": func(t *testing.T, fl *flooded) {
			s := fl.sessionAs("flood", agreed{1 << 16, 1 << 16, 1 << 12, 16, 4})
			fl.file("locked", "content")
			id := opens(fl.ok(in(s.sequence(), append(walk("x"), openOp("o", "locked", 3, 0, nfs4.OPEN4_NOCREATE))...)...))
			refused := 0
			for i := range statesMax {
				st := fl.do(in(s.sequence(), append(walk("x", "locked"), lockOp(id, name(i), nfs4.READ_LT, 0, 5))...)...).Status
				if tolerated(t, st); st != nfs4.NFS4_OK {
					refused++
				}
			}
			require.Positive(t, refused, "the bound is met")
		},
		"LOCK of many ranges": func(t *testing.T, fl *flooded) {
			s := fl.sessionAs("flood", agreed{1 << 16, 1 << 16, 1 << 12, 16, 4})
			refused := 0
			fl.file("locked", "content")
			id := opens(fl.ok(in(s.sequence(), append(walk("x"), openOp("o", "locked", 3, 0, nfs4.OPEN4_NOCREATE))...)...))
			for i := range uint64(4200) {
				st := fl.do(in(s.sequence(), append(walk("x", "locked"), lockOp(id, "l", nfs4.READ_LT, 2*i, 1))...)...).Status
				if tolerated(t, st); st != nfs4.NFS4_OK {
					refused++
				}
			}
			require.Equal(t, 4200-4096, refused, "the bound of a file is met")
		},
		"LOCK that waits": func(t *testing.T, fl *flooded) {
			s := fl.sessionAs("flood", agreed{1 << 16, 1 << 16, 1 << 12, 16, 4})
			id := opens(fl.ok(in(s.sequence(), append(walk("x"), openOp("o", "old", 3, 0, nfs4.OPEN4_NOCREATE))...)...))
			for i := range 1000 {
				fl.fails(nfs4.NFS4ERR_DENIED, in(s.sequence(),
					append(walk("x", "old"), lockOp(id, name(i), nfs4.WRITEW_LT, 0, 5))...)...)
			}
			require.Equal(t, 256, fl.cfg.Files.Counts().Waiters, "the bound is met")
		},
	} {
		t.Run(what, func(t *testing.T) {
			fl := newFlooded(t)
			flood(t, fl)
			fl.survives()
			fl.fresh()
			fl.survives()
		})
	}
}

// comeBack has those who were there first renew their leases.
func (fl *flooded) comeBack() {
	minor := fl.minor
	fl.minor = 1
	fl.ok(fl.old.sequence())
	fl.minor = 0
	fl.ok(nfs4.NfsArgop4{Argop: nfs4.OP_RENEW, Oprenew: nfs4.RENEW4args{Clientid: nfs4.Clientid4(fl.id0)}})
	fl.minor = minor
}

// heap returns the bytes in use after a collection.
func heap() int64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// What docs say: an idle client takes 2 KiB at most, and a million opens 240 MB.
func TestAMillionOpensOf4096ClientsTakeWhatDocsSay(t *testing.T) {
	again.Long(t)
	again.Skip(t)
	// Some take the half that is for whoever comes first; the others have a share each. make soak has
	// all of them, other runs an eighth.
	clients, hoarders := 512, 1
	if os.Getenv("RINGNFS_MATRIX") == "full" {
		clients, hoarders = 4096, 8
	}
	opensOf := func(client int) int {
		if client < hoarders {
			return 1 << 16
		}
		return 120
	}
	cfg := remembers(new(uint32))
	fs := memfs.New(memfs.Config{Mode: 0o777})
	r := newRig(t, cfg, export.Export{Path: "/x", FS: fs, Options: export.Options{Squash: export.SquashNone}})
	file := maker(t, r, fs)
	var handles []nfs4.NfsArgop4
	for i := range clients {
		name := fmt.Sprint("f", i)
		file(name, "")
		res := r.ok(append(walk("x", name), getfh())...)
		handles = append(handles, nfs4.NfsArgop4{Argop: nfs4.OP_PUTFH,
			Opputfh: nfs4.PUTFH4args{Object: append(nfs4.NfsFh4(nil), res[3].Opgetfh.Resok4.Object...)}})
	}
	before := heap()
	sessions := make([]*session, clients)
	for i := range sessions {
		sessions[i] = r.sessionAs(fmt.Sprintf("Linux NFSv4.2 client-%04d.example.org/6f1c", i),
			agreed{1049620, 1049480, 7584, 128, 64})
	}
	idle := (heap() - before) / int64(clients)
	t.Logf("an idle client takes %d bytes", idle)
	require.LessOrEqual(t, idle, int64(2048), "some 300 of it are the test's own")
	before = heap()
	r.minor = 2
	for i, s := range sessions {
		ops := []nfs4.NfsArgop4{s.sequence()}
		for j := range opensOf(i) {
			op := openOp(fmt.Sprintf("open owner:  %016x", j/clients), "", 1, 0, nfs4.OPEN4_NOCREATE)
			op.Opopen.Claim = nfs4.OpenClaim4{Claim: nfs4.CLAIM_FH}
			if ops = append(ops, handles[(i+j)%clients], op); len(ops) > 40 || j+1 == opensOf(i) {
				r.ok(ops...)
				ops = append(ops[:0], s.sequence())
			}
		}
	}
	opens := r.cfg.Files.Counts().Opens
	all := heap() - before
	t.Logf("%d opens take %d bytes, counted %d", opens, all, r.cfg.Files.Counts().Bytes)
	require.Greater(t, opens, 1_000_000/4096*clients)
	require.Less(t, all, int64(240_000_000/4096*clients))
	require.InEpsilon(t, all, r.cfg.Files.Counts().Bytes, 0.3)
}
