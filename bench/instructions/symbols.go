package main

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"debug/elf"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/ringnfs/ringnfs/bench/instructions/job"
)

// symbol is a function: of the kernel, of one of its modules, or of a program.
type symbol struct {
	address uint64
	name    string
	object  string
}

// symbols are functions by their addresses, in ascending order.
type symbols []symbol

// parseSymbols reads the kernel's list of symbols (kallsyms).
func parseSymbols(text string) symbols {
	var list symbols
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 3 || !strings.Contains("tTwW", f[1]) {
			continue
		}
		address, err := strconv.ParseUint(f[0], 16, 64)
		if err != nil || address == 0 {
			continue
		}
		object := "vmlinux"
		if len(f) > 3 {
			object = strings.Trim(f[3], "[]")
		}
		list = append(list, symbol{address, f[2], object})
	}
	list.sort()
	return list
}

func (s symbols) sort() {
	slices.SortStableFunc(s, func(a, b symbol) int { return cmp.Compare(a.address, b.address) })
}

// farthest is how far behind its beginning a function's code may be.
const farthest = 1 << 20

// at returns the function that an address lies in, and whether it is the function's first.
func (s symbols) at(address uint64) (name, object string, first bool) {
	i, found := slices.BinarySearchFunc(s, address,
		func(x symbol, a uint64) int { return cmp.Compare(x.address, a) })
	if !found {
		i--
	}
	if i >= 0 && address-s[i].address < farthest {
		return s[i].name, s[i].object, found
	}
	if address>>63 == 1 {
		return "?", "kernel", false
	}
	return "?", "user", false
}

// address returns where a function begins, 0 if there is none of that name.
func (s symbols) address(name string) uint64 {
	for i := range s {
		if s[i].name == name {
			return s[i].address
		}
	}
	return 0
}

// programSymbols returns the functions of a program.
func programSymbols(path, object string) (symbols, error) {
	f, err := elf.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	all, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("symbols of %s: %w", path, err)
	}
	var list symbols
	for _, x := range all {
		if elf.ST_TYPE(x.Info) == elf.STT_FUNC && x.Value != 0 {
			list = append(list, symbol{x.Value, x.Name, object})
		}
	}
	list.sort()
	return list, nil
}

// kernelSymbols returns the functions of the saved machine's kernel, which a machine of its own says
// once: they are in the same places each time.
func (l *lab) kernelSymbols(ctx context.Context) (symbols, error) {
	path := strings.Replace(l.state, "state-", "symbols-", 1)
	if b, err := os.ReadFile(path); err == nil {
		return parseSymbols(string(b)), nil
	}
	lines, _, err := l.run(ctx, &job.Job{Symbols: true}, &image{}, nil)
	if err != nil {
		return nil, err
	}
	for i := range lines {
		if len(lines[i].Symbols) == 0 {
			continue
		}
		z, err := gzip.NewReader(bytes.NewReader(lines[i].Symbols))
		if err != nil {
			return nil, err
		}
		b, err := io.ReadAll(z)
		if err != nil {
			return nil, err
		}
		return parseSymbols(string(b)), os.WriteFile(path, b, 0o644)
	}
	return nil, fmt.Errorf("the machine told no symbols")
}
