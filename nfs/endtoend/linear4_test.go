package endtoend

import (
	"encoding/binary"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// access is a READ or a WRITE of eight bytes of a file.
type access struct {
	place int
	write bool
	value uint64 // that is written
}

// register is what eight bytes of a file are: whatever was written last.
var register = porcupine.Model{
	Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
		var parts [][]porcupine.Operation
		for _, op := range history {
			place := op.Input.(access).place
			for len(parts) <= place {
				parts = append(parts, nil)
			}
			parts[place] = append(parts[place], op)
		}
		return parts
	},
	Init: func() any { return uint64(0) },
	Step: func(state, input, output any) (bool, any) {
		if in := input.(access); in.write {
			return true, in.value
		}
		return state == output, state
	},
}

// Two clients read and write one file, each with an open of its own, two slots and two connections.
// There is an order of all that they did in which each READ has what the last WRITE wrote.
func TestReadsAndWritesOfTwoClientsAreLinearizable(t *testing.T) {
	const places, workers, steps = 3, 4, 250
	s, dir := serve4(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), make([]byte, 8*places), 0o666))
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var clock atomic.Int64 // counts calls and replies
	histories := make([][]porcupine.Operation, workers)
	var group sync.WaitGroup
	for client := range workers / 2 {
		c := s.dial()
		session := newSession4(t, c, []string{"one", "two"}[client], 4, 1<<16)
		at := handle4(t, c, session, dir, "file")
		open := nfs4.NfsArgop4{Argop: nfs4.OP_OPEN, Opopen: nfs4.OPEN4args{ShareAccess: 3,
			Owner: nfs4.OpenOwner4{Owner: []byte("owner")}, Claim: nfs4.OpenClaim4{Claim: nfs4.CLAIM_FH}}}
		id := fine4(t, c, 2, session.next(0), at, open)[2].Opopen.Resok4.Stateid
		for i := range 2 {
			worker, slot, c := 2*client+i, 1+i, c
			if i > 0 {
				c = s.dial()
			}
			rng := rand.New(rand.NewPCG(seed, uint64(worker)))
			group.Go(func() {
				for n := range steps {
					in := access{rng.IntN(places), rng.IntN(2) == 0, uint64(worker)<<32 | uint64(n+1)}
					op := nfs4.NfsArgop4{Argop: nfs4.OP_READ, Opread: nfs4.READ4args{Stateid: id,
						Offset: nfs4.Offset4(8 * in.place), Count: 8}}
					if in.write {
						op = nfs4.NfsArgop4{Argop: nfs4.OP_WRITE, Opwrite: nfs4.WRITE4args{Stateid: id,
							Offset: nfs4.Offset4(8 * in.place), Stable: nfs4.StableHow4(rng.IntN(2) * 2),
							Data: binary.BigEndian.AppendUint64(nil, in.value)}}
					}
					call := clock.Add(1)
					out, ok := accessed(t, c, session.next(slot), at, op)
					if !ok {
						return
					}
					histories[worker] = append(histories[worker], porcupine.Operation{
						ClientId: worker, Input: in, Output: out, Call: call, Return: clock.Add(1)})
				}
			})
		}
	}
	group.Wait()
	var history []porcupine.Operation
	for _, h := range histories {
		history = append(history, h...)
	}
	require.Len(t, history, workers*steps)
	require.True(t, porcupine.CheckOperations(register, history), "no order explains what was read")
}

// accessed runs one access and returns the eight bytes of a READ.
func accessed(t *testing.T, c *nfstest.Client, ops ...nfs4.NfsArgop4) (uint64, bool) {
	res := new(nfs4.COMPOUND4res)
	if err := send4(c, compound4(t, 2, ops...)).TryInto(res); err != nil || res.Status != nfs4.NFS4_OK {
		t.Errorf("%v %v", err, res.Status)
		return 0, false
	}
	if read := &res.Resarray[2].Opread; res.Resarray[2].Resop == nfs4.OP_READ {
		if len(read.Resok4.Data) != 8 {
			t.Errorf("%d bytes", len(read.Resok4.Data))
			return 0, false
		}
		return binary.BigEndian.Uint64(read.Resok4.Data), true
	}
	return 0, true
}
