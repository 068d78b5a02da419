package uring

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"
)

func BenchmarkNop(b *testing.B) {
	for _, batch := range []int{1, 32} {
		b.Run(fmt.Sprintf("batch=%d", batch), func(b *testing.B) {
			r := newRing(b, Config{})
			var got [64]CQE
			b.ReportAllocs()
			for done := 0; done < b.N; done += batch {
				for i := range batch {
					s := r.SQE()
					s.PrepNop()
					s.SetUserData(uint64(i))
				}
				if _, err := r.Submit(); err != nil {
					b.Fatal(err)
				}
				if r.Harvest(got[:]) != batch {
					b.Fatal("completions are missing")
				}
			}
		})
	}
}

func BenchmarkReadCached(b *testing.B) {
	for _, batch := range []int{1, 32} {
		b.Run(fmt.Sprintf("4KiB/batch=%d", batch), func(b *testing.B) {
			r := newRing(b, Config{})
			f := file(b, string(make([]byte, 4096)))
			m := memory(b, 4096)
			var got [64]CQE
			b.SetBytes(4096)
			b.ReportAllocs()
			for done := 0; done < b.N; done += batch {
				for i := range batch {
					s := r.SQE()
					s.PrepRead(int(f.Fd()), m, 0, 0)
					s.SetUserData(uint64(i))
				}
				if err := r.Wait(uint32(batch), Forever); err != nil {
					b.Fatal(err)
				}
				for n := 0; n < batch; {
					k := r.Harvest(got[:])
					for i := range got[:k] {
						if got[i].Res != 4096 {
							b.Fatal(got[i].Errno())
						}
					}
					n += k
				}
			}
		})
	}
}

func BenchmarkBufRingAddAdvance(b *testing.B) {
	r := newRing(b, Config{})
	g, err := r.NewBufRing(0, 1024, false)
	require.NoError(b, err)
	m := memory(b, 4096)
	b.ReportAllocs()
	for i := range b.N {
		g.Add(m, BufferID(i))
		g.Advance()
	}
	require.NoError(b, g.Close())
}
