package v4

import (
	"bytes"
	"encoding/binary"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/state"
	"github.com/ringnfs/ringnfs/nfs/state/files"
)

// fuzzed is a server that is the same each time: a client of 4.2 with a session and an open of
// /x/f, and one of 4.0.
func fuzzed(t testing.TB) (*data, nfs4.Stateid4) {
	now := uint32(100)
	d := newData(t, func(c *Config, x *export.Export) {
		*c = remembersIn(&now, func(s *state.Config, h *files.Config) {
			s.Random, h.Random = rand.NewChaCha8([32]byte{1}), rand.NewChaCha8([32]byte{2})
			h.StatesMax = 100
		})
		c.ReadMax, c.WriteMax, c.ReadDirMax = 8192, 4096, 4096
	})
	d.file("f", "content")
	d.file("g", "content")
	d.ok(append(walk("x"), mkdir("d"))...)
	d.r.minor = 0
	d.r.client0("old")
	d.r.minor = 2
	return d, d.open("x", "f", 3)
}

// FuzzCompound sends compounds of any bytes, with a session, in which they follow SEQUENCE, or
// without. There is an answer that can be taken apart, within the memory that was agreed on; the
// slot is free again; and a retransmission is answered the same.
func FuzzCompound(f *testing.F) {
	_, open := fuzzed(f)
	seeds := linux(open)
	for i, name := range slices.Sorted(maps.Keys(seeds)) {
		var b []byte
		for _, op := range seeds[name] {
			b = append(b, encoded(f, op.Encode)...)
		}
		for minor := range uint8(3) {
			f.Add(minor, uint32(len(seeds[name])), b, uint8(i))
		}
	}
	f.Add(uint8(0), uint32(1<<31), []byte{}, uint8(0))
	op := setclientid("new", "127.0.0.1.8.1")
	f.Add(uint8(0), uint32(1), encoded(f, op.Encode), uint8(0))
	f.Fuzz(func(t *testing.T, minor uint8, count uint32, ops []byte, how uint8) {
		if len(ops) > 1<<16 {
			return
		}
		d, _ := fuzzed(t)
		r := d.r
		inSession := minor > 0 && how&1 == 0
		d.keep = how&2 != 0
		r.place = int(how >> 2 & 1)
		var args []byte
		be := binary.BigEndian
		args = be.AppendUint32(args, 0) // tag
		args = be.AppendUint32(args, uint32(minor))
		if inSession {
			args = be.AppendUint32(args, count+1)
			op := d.sequence()
			args = append(args, encoded(t, op.Encode)...)
		} else {
			args = be.AppendUint32(args, count)
		}
		args = append(args, ops...)
		first := bytes.Clone(r.run(r.record(args)))
		sound(t, first, count)
		if inSession && minor <= 2 {
			if used(first) {
				again := r.run(r.record(args))
				if d.keep {
					require.Equal(t, first[4:], again[4:])
				} else {
					sound(t, again, count)
				}
			} else {
				d.seq[0]--
			}
			r.place = 0
			res := r.do(d.sequence(), putroot())
			// It may have destroyed its session or its client.
			require.Contains(t, []nfs4.Nfsstat4{nfs4.NFS4_OK, nfs4.NFS4ERR_BADSESSION}, res.Status)
		}
		require.Zero(t, r.cfg.State.Counts().SlotsBusy)
	})
}

// sound checks what every client relies on in a reply to a compound of so many operations, and
// SEQUENCE.
func sound(t *testing.T, reply []byte, count uint32) {
	t.Helper()
	require.LessOrEqual(t, len(reply), 8192+replySlack+replyHeader)
	if accepted := binary.BigEndian.Uint32(reply[20:]); accepted != 0 {
		require.EqualValues(t, 4, accepted, "nothing but GARBAGE_ARGS")
		require.Len(t, reply, replyHeader)
		return
	}
	res := results(t, reply)
	require.LessOrEqual(t, uint64(len(res.Resarray)), uint64(count)+1)
	for i := range res.Resarray {
		st := nfs4.Nfsstat4(binary.BigEndian.Uint32(encoded(t, res.Resarray[i].Encode)[4:]))
		if i == len(res.Resarray)-1 {
			require.Equal(t, res.Status, st)
		} else {
			require.Equal(t, nfs4.NFS4_OK, st)
		}
	}
}
