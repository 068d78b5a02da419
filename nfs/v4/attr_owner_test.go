package v4

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/idmap"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// named is a rig of one export whose users are root and joe, and its one group is staff. A user or
// group is asked for by way of answer, if that is not nil.
func named(t *testing.T, domain string, answer chan struct{}) *rig {
	db := func(names map[string]uint32) idmap.Database {
		return idmap.Database{
			ID: func(name string) (uint32, error) {
				if answer != nil {
					<-answer
				}
				if id, ok := names[name]; ok {
					return id, nil
				}
				return 0, idmap.ErrUnknown
			},
			Name: func(id uint32) (string, error) {
				if answer != nil {
					<-answer
				}
				for name, n := range names {
					if n == id {
						return name, nil
					}
				}
				return "", idmap.ErrUnknown
			},
		}
	}
	cfg := remembers(new(uint32))
	after := func(time.Duration) <-chan time.Time { return nil }
	if answer != nil {
		after = func(time.Duration) <-chan time.Time {
			c := make(chan time.Time)
			close(c)
			return c
		}
	}
	cfg.Names = idmap.New(idmap.Config{
		Domain: domain, After: after,
		Users: db(map[string]uint32{"root": 0, "joe": 1000}), Groups: db(map[string]uint32{"staff": 50}),
	})
	return newRig(t, cfg, export.Export{
		Path: "/srv", FS: filled(t, "a"), Options: export.Options{Squash: export.SquashNone},
	})
}

var ownerNumbers = []int{nfs4.FATTR4_OWNER, nfs4.FATTR4_OWNER_GROUP}

func chown(t testing.TB, owner, group string) nfs4.NfsArgop4 {
	return nfs4.NfsArgop4{Argop: nfs4.OP_SETATTR, Opsetattr: nfs4.SETATTR4args{
		ObjAttributes: fattr(t, ownerNumbers, func(e *xdr.Encoder) {
			e.String(owner)
			e.String(group)
		}),
	}}
}

func texts(a nfs4.Fattr4) (owner, group string) {
	var d xdr.Decoder
	d.Reset(a.AttrVals)
	return string(d.Opaque(1024)), string(d.Opaque(1024))
}

func (r *rig) owners(names ...string) [2]string {
	r.t.Helper()
	res := r.ok(append(walk(names...), getattr(ownerNumbers...))...)
	owner, group := texts(res[len(res)-1].Opgetattr.Resok4.ObjAttributes)
	return [2]string{owner, group}
}

func TestOwnersMayBeNamesAndAreSentAsNumbers(t *testing.T) {
	r := named(t, "", nil)
	r.ok(append(walk("srv", "a"), chown(t, "joe@any.example", "staff@other"))...)
	require.Equal(t, [2]string{"1000", "50"}, r.owners("srv", "a"))
	require.Zero(t, r.waits)
	r.ok(append(walk("srv", "a"), chown(t, "7", "4294967294"))...)
	require.Equal(t, [2]string{"7", "4294967294"}, r.owners("srv", "a"))
	r.fails(nfs4.NFS4ERR_BADOWNER, append(walk("srv", "a"), chown(t, "staff@any.example", "50"))...)
	r.fails(nfs4.NFS4ERR_BADOWNER, append(walk("srv", "a"), chown(t, "7", "joe@any.example"))...)
	r.fails(nfs4.NFS4ERR_INVAL, append(walk("srv", "a"), chown(t, "99999999999", "50"))...)
	require.Equal(t, [2]string{"7", "4294967294"}, r.owners("srv", "a"))
}

func TestOwnersAreSentAsNamesOfTheDomain(t *testing.T) {
	r := named(t, "example.org", nil)
	require.Equal(t, [2]string{"root@example.org", "0"}, r.owners("srv", "a"))
	require.Equal(t, 1, r.waits, "a lane does not ask the database")
	require.Equal(t, [2]string{"root@example.org", "0"}, r.owners("srv", "a"))
	require.Zero(t, r.waits)
	r.ok(append(walk("srv", "a"), chown(t, "joe@EXAMPLE.org", "staff@example.org"))...)
	want := [2]string{"joe@example.org", "staff@example.org"}
	owner, group := texts(r.listed(ownerNumbers, walk("srv")...)["a"])
	require.Equal(t, want, [2]string{owner, group})
	require.Equal(t, 1, r.waits)
	require.Equal(t, want, r.owners("srv", "a"))
	same := nfs4.NfsArgop4{Argop: nfs4.OP_VERIFY, Opverify: nfs4.VERIFY4args{
		ObjAttributes: chown(t, want[0], want[1]).Opsetattr.ObjAttributes,
	}}
	r.ok(append(walk("srv", "a"), same)...)
	r.fails(nfs4.NFS4ERR_BADOWNER, append(walk("srv", "a"), chown(t, "joe@example.com", "50"))...)
	r.ok(append(walk("srv", "a"), chown(t, "1000", "50"))...)
}

func TestADatabaseThatHangsHoldsNobodyUp(t *testing.T) {
	answer := make(chan struct{})
	r := named(t, "example.org", answer)
	require.Equal(t, [2]string{"0", "0"}, r.owners("srv", "a"))
	require.Equal(t, [2]string{"0", "0"}, r.owners("srv", "a"))
	require.Zero(t, r.waits)
	r.fails(nfs4.NFS4ERR_DELAY, append(walk("srv", "a"), chown(t, "joe@example.org", "50"))...)
	r.ok(append(walk("srv", "a"), chown(t, "1000", "50"))...)
	close(answer)
	op := append(walk("srv", "a"), chown(t, "joe@example.org", "50"))
	st := nfs4.NFS4ERR_DELAY
	for st == nfs4.NFS4ERR_DELAY { // until the database's answer has come through
		time.Sleep(time.Millisecond)
		st = r.do(op...).Status
	}
	require.Equal(t, nfs4.NFS4_OK, st)
}

// A session's reply may be too small for names, and for numbers large enough.
func TestOwnersFitIntoTheReply(t *testing.T) {
	for _, c := range []struct {
		domain string
		most   nfs4.Count4
		st     nfs4.Nfsstat4
	}{
		{"", 800, nfs4.NFS4_OK},
		{"example.org", 800, nfs4.NFS4ERR_REP_TOO_BIG},
		{"example.org", 1300, nfs4.NFS4_OK},
	} {
		r := named(t, c.domain, nil)
		s := r.sessionOf("c", c.most)
		res := r.do(in(s.sequence(), append(walk("srv"), getattr(ownerNumbers...))...)...)
		require.Equal(t, c.st, res.Status, "%s %d", c.domain, c.most)
	}
}
