package ranges_test

import (
	"fmt"
	"testing"

	"github.com/ringnfs/ringnfs/nfs/state/ranges"
)

// filled returns a table of n locks for writing of 8 owners, which lie 64 bytes apart, and what
// lies in the middle of them.
func filled(b *testing.B, n int) (*ranges.Table, uint64) {
	var table ranges.Table
	for i := range uint64(n) {
		change(b, &table, ranges.Owner(i%8), 64*i, 64*i+31, write)
	}
	return &table, 64 * uint64(n/2)
}

func sizes(b *testing.B, run func(b *testing.B, n int)) {
	for _, n := range []int{1, 10, 1000, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			b.ReportAllocs()
			run(b, n)
		})
	}
}

// BenchmarkConflict is LOCKT of a range in the middle that is locked by another owner.
func BenchmarkConflict(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		table, at := filled(b, n)
		for b.Loop() {
			if _, denied := table.Conflict(99, ranges.Range{Start: at, End: at + 100}, write); !denied {
				b.Fatal("free")
			}
		}
	})
}

// BenchmarkConflictUnderReader is the worst case: one owner reads the whole file, so that no
// lock before the range can be skipped.
func BenchmarkConflictUnderReader(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		var table ranges.Table
		change(b, &table, 99, 0, max64, read)
		for i := range uint64(n) {
			change(b, &table, ranges.Owner(i%8), 64*i, 64*i+31, read)
		}
		at := 64 * uint64(n)
		for b.Loop() {
			if _, denied := table.Conflict(99, ranges.Range{Start: at, End: at + 100}, read); denied {
				b.Fatal("denied")
			}
		}
	})
}

// BenchmarkLockUnlock is LOCK and LOCKU of 16 free bytes in the middle.
func BenchmarkLockUnlock(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		table, at := filled(b, n)
		r := ranges.Range{Start: at + 40, End: at + 55}
		var p ranges.Plan
		for b.Loop() {
			for _, kind := range [...]ranges.Kind{write, none} {
				table.Plan(&p, 99, r, kind)
				table.Commit(&p)
			}
		}
	})
}

// BenchmarkSplitJoin locks 8 bytes of a lock in the middle for reading, and all of it for
// writing again.
func BenchmarkSplitJoin(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		table, at := filled(b, n)
		owner := ranges.Owner(n / 2 % 8)
		var p ranges.Plan
		for b.Loop() {
			table.Plan(&p, owner, ranges.Range{Start: at + 8, End: at + 15}, read)
			table.Commit(&p)
			table.Plan(&p, owner, ranges.Range{Start: at, End: at + 31}, write)
			table.Commit(&p)
		}
	})
}

// BenchmarkReleasePlan works out what it takes to release all locks of one owner of the 8.
func BenchmarkReleasePlan(b *testing.B) {
	sizes(b, func(b *testing.B, n int) {
		table, _ := filled(b, n)
		var p ranges.Plan
		for b.Loop() {
			table.Plan(&p, 0, ranges.All, none)
		}
	})
}
