package client4

import (
	"context"
	"errors"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

// script answers compounds one after the other.
type script struct {
	t       *testing.T
	answers []func(*nfs4.COMPOUND4args) nfs4.COMPOUND4res
}

func (s *script) Call(prog, vers, proc uint32, args client.Encoder, res client.Decoder) error {
	require.EqualValues(s.t, nfs4.NFS4_PROGRAM, prog)
	require.EqualValues(s.t, 4, vers)
	require.EqualValues(s.t, 1, proc)
	require.NotEmpty(s.t, s.answers, "a compound too many")
	answer := s.answers[0]
	s.answers = s.answers[1:]
	r := answer(args.(*nfs4.COMPOUND4args))
	b, err := client.Marshal(&r)
	require.NoError(s.t, err)
	return client.Unmarshal(b, res)
}

// stopped answers that the last one of n operations has failed.
func stopped(n int, st nfs4.Nfsstat4, look func(*nfs4.COMPOUND4args)) func(*nfs4.COMPOUND4args) nfs4.COMPOUND4res {
	return func(a *nfs4.COMPOUND4args) nfs4.COMPOUND4res {
		look(a)
		res := nfs4.COMPOUND4res{Status: st}
		for i := range n {
			x := nfs4.NfsResop4{Resop: a.Argarray[i].Argop}
			if i == n-1 {
				x.Opsequence.SrStatus, x.Opputfh.Status, x.Opopen.Status = st, st, st
			}
			res.Resarray = append(res.Resarray, x)
		}
		return res
	}
}

func TestASlotGoesOnByTheRules(t *testing.T) {
	var seen []nfs4.Sequenceid4
	look := func(a *nfs4.COMPOUND4args) { seen = append(seen, a.Argarray[0].Opsequence.SaSequenceid) }
	s := &script{t: t}
	c := New(s, 1, []byte("me"))
	s.answers = append(s.answers,
		stopped(1, nfs4.NFS4ERR_DELAY, look), // SEQUENCE itself: the same number again
		stopped(2, nfs4.NFS4ERR_DELAY, look), // later: the number is used
		stopped(2, nfs4.NFS4ERR_GRACE, look),
		stopped(2, nfs4.NFS4_OK, look),
		stopped(1, nfs4.NFS4ERR_BADSLOT, look), // an error of SEQUENCE leaves the slot as it was
		stopped(2, nfs4.NFS4ERR_STALE, look))
	_, err := c.Do(PutFH(nil))
	require.NoError(t, err)
	_, err = c.Do(PutFH(nil))
	require.EqualError(t, err, "SEQUENCE: NFS4ERR_BADSLOT")
	res, err := c.Do(PutFH(nil))
	require.EqualError(t, err, "PUTFH: NFS4ERR_STALE")
	require.Len(t, res, 1, "SEQUENCE's result is not the caller's")
	require.Equal(t, []nfs4.Sequenceid4{1, 1, 2, 3, 4, 4}, seen)
	require.EqualValues(t, 4, c.Sequence())
}

func TestAnOwnerOfMinorVersion0CountsWhatHasFailed(t *testing.T) {
	var seen []nfs4.Seqid4
	look := func(a *nfs4.COMPOUND4args) { seen = append(seen, a.Argarray[1].Opopen.Seqid) }
	s := &script{t: t}
	c := New(s, 0, []byte("me"))
	s.answers = append(s.answers,
		stopped(1, nfs4.NFS4ERR_DELAY, look), // PUTFH: no operation of the owner
		stopped(2, nfs4.NFS4ERR_GRACE, look),
		stopped(2, nfs4.NFS4ERR_DELAY, look),
		stopped(2, nfs4.NFS4ERR_NOENT, look))
	ops := []nfs4.NfsArgop4{PutFH(nil), (&Open{Seqid: 7, Name: "x", Access: 1}).Op()}
	_, err := c.Do(ops...)
	require.EqualError(t, err, "OPEN: NFS4ERR_NOENT")
	require.Equal(t, []nfs4.Seqid4{7, 7, 8, 9}, seen)
	require.EqualValues(t, 9, ops[1].Opopen.Seqid, "the caller goes on from there")
}

func TestPatienceAndContextsEnd(t *testing.T) {
	s := &script{t: t}
	c := New(s, 0, []byte("me"))
	nothing := func(*nfs4.COMPOUND4args) {}
	c.Patience = 0
	s.answers = append(s.answers, stopped(1, nfs4.NFS4ERR_GRACE, nothing))
	_, err := c.Do(PutRootFH())
	require.ErrorContains(t, err, "asked to wait")
	var failed *StatusError
	require.ErrorAs(t, err, &failed)
	require.Equal(t, nfs4.NFS4ERR_GRACE, failed.Status)

	c.Patience = PatienceDefault
	ctx, cancel := context.WithCancel(context.Background())
	s.answers = append(s.answers, stopped(1, nfs4.NFS4ERR_GRACE, func(*nfs4.COMPOUND4args) { cancel() }))
	release := c.Until(ctx)
	_, err = c.Do(PutRootFH())
	require.True(t, errors.Is(err, context.Canceled), err)
	release()
	s.answers = append(s.answers, stopped(1, nfs4.NFS4_OK, nothing))
	_, err = c.Do(PutRootFH())
	require.NoError(t, err)
}

func TestResultsThatDoNotFitAreErrors(t *testing.T) {
	s := &script{t: t}
	c := New(s, 0, []byte("me"))
	s.answers = append(s.answers,
		func(*nfs4.COMPOUND4args) nfs4.COMPOUND4res { return nfs4.COMPOUND4res{} },
		func(*nfs4.COMPOUND4args) nfs4.COMPOUND4res {
			return nfs4.COMPOUND4res{Status: nfs4.NFS4ERR_MINOR_VERS_MISMATCH}
		},
		func(a *nfs4.COMPOUND4args) nfs4.COMPOUND4res {
			x := nfs4.NfsResop4{Resop: nfs4.OP_PUTROOTFH}
			return nfs4.COMPOUND4res{Resarray: []nfs4.NfsResop4{x, x}}
		})
	_, err := c.Do(PutRootFH())
	require.EqualError(t, err, "0 results of 1 operations")
	_, err = c.Do(PutRootFH())
	require.EqualError(t, err, "PUTROOTFH: NFS4ERR_MINOR_VERS_MISMATCH")
	_, err = c.Do(PutRootFH())
	require.EqualError(t, err, "2 results of 1 operations")
}
