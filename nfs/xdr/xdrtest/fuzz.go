package xdrtest

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"testing"
)

// Fuzz is a native fuzz target for the messages of one procedure: the first byte
// of its input chooses one of them, the second where the record is cut in two.
func Fuzz(f *testing.F, makes ...func() Message) {
	for i, seed := range Seeds(f, makes...) {
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

// Seeds returns a long message of each type as bytes, always the same.
func Seeds(t testing.TB, makes ...func() Message) [][]byte {
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

// WriteSeeds keeps the seeds of the target named target in testdata/fuzz of the
// package under test.
func WriteSeeds(t testing.TB, target string, makes ...func() Message) {
	dir := filepath.Join("testdata", "fuzz", target)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for i, seed := range Seeds(t, makes...) {
		text := fmt.Sprintf("go test fuzz v1\nbyte(%q)\nbyte(%q)\n[]byte(%s)\n", rune(i), rune(i), strconv.Quote(string(seed)))
		name := filepath.Join(dir, fmt.Sprintf("seed-%d", i))
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
