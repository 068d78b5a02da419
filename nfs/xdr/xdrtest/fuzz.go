package xdrtest

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

var writeSeeds = flag.Bool("write-seeds", false, "write the seeds of the fuzz targets for messages to testdata/fuzz")

// Fuzz is a native fuzz target for the messages of one procedure. The first byte of its input
// chooses a message; the second says where the record is cut in two.
func Fuzz(f *testing.F, makes ...func() Message) {
	seeds := seedsOf(f, makes...)
	if *writeSeeds {
		keep(f, seeds)
	}
	for i, seed := range seeds {
		f.Add(byte(i), byte(i), seed)
	}
	f.Fuzz(func(t *testing.T, which, cut byte, b []byte) {
		make := makes[int(which)%len(makes)]
		dirty := make()
		Fill(rand.New(rand.NewPCG(uint64(cut), 0)), dirty)
		if err := same(b, make, dirty, int(cut)%(len(b)+1), false); err != nil {
			t.Fatalf("%T: %v", dirty, err)
		}
	})
}

// seedsOf returns a long message of each type as bytes, always the same.
func seedsOf(t testing.TB, makes ...func() Message) [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	var seeds [][]byte
	for _, make := range makes {
		var longest []byte
		for range 20 {
			m := make()
			Fill(r, m)
			if b := Encode(t, m); len(b) > len(longest) {
				longest = b
			}
		}
		seeds = append(seeds, longest)
	}
	return seeds
}

// keep writes seeds to the target's testdata/fuzz in the package under test.
func keep(f *testing.F, seeds [][]byte) {
	dir := filepath.Join("testdata", "fuzz", f.Name())
	if err := os.MkdirAll(dir, 0o755); err != nil {
		f.Fatal(err)
	}
	for i, seed := range seeds {
		text := fmt.Sprintf("go test fuzz v1\nbyte(%q)\nbyte(%q)\n[]byte(%s)\n", rune(i), rune(i), strconv.Quote(string(seed)))
		name := filepath.Join(dir, fmt.Sprintf("seed-%d", i))
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			f.Fatal(err)
		}
	}
}
