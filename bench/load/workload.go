package load

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Workload is what a job calls.
type Workload struct {
	// Kind is one of Kinds.
	Kind string
	// Size is the number of bytes of a READ or WRITE, or of a file of a tree.
	Size int
	// Random takes blocks anywhere in the file. Otherwise each connection goes through its file
	// from its beginning, again and again.
	Random bool
}

// kinds has the kinds of workloads: the name, what it does, and its default size.
var kinds = []struct {
	name, does string
	size       int
}{
	{"null", "NULL: what a call costs that does nothing", 0},
	{"getattr", "GETATTR of 64 files in turn", 0},
	{"lookup", "LOOKUP of 64 names in turn", 0},
	{"access", "ACCESS to 64 files in turn", 0},
	{"read", "READ of SIZE bytes", 4 << 10},
	{"write", "WRITE of SIZE bytes over what is there", 4 << 10},
	{"mixed", "30 % READ, 25 % GETATTR, 20 % LOOKUP, 10 % ACCESS, 10 % WRITE, 5 % READDIRPLUS", 4 << 10},
	{"readdirplus", "READDIRPLUS through a directory, 32 KiB at a time", 0},
	{"create", "CREATE of a file and its REMOVE; by NFSv4 OPEN, CLOSE and REMOVE", 0},
	{"tree", "small files: MKDIR, 8 files made, written and committed, listed, looked up, read and removed, RMDIR", 4 << 10},
	{"open", "OPEN of 64 files in turn, each followed by CLOSE (NFSv4 only)", 0},
	{"lock", "LOCK of a range of a file, and LOCKU (NFSv4 only)", 0},
}

// Kinds lists the kinds of workloads, each with a line of explanation.
func Kinds() [][2]string {
	var list [][2]string
	for _, k := range kinds {
		list = append(list, [2]string{k.name, k.does})
	}
	return list
}

// sizeMax is the largest READ or WRITE that the client makes.
const sizeMax = 4 << 20

// ParseWorkload understands KIND[-SIZE][-rand|-seq], such as getattr, read-4k-rand and write-1m.
// size is used if the text names none, and may be 0.
func ParseWorkload(text string, size int, random bool) (Workload, error) {
	parts := strings.Split(strings.ToLower(text), "-")
	at := slices.IndexFunc(kinds, func(k struct {
		name, does string
		size       int
	}) bool {
		return k.name == parts[0]
	})
	if at < 0 {
		var names []string
		for _, k := range kinds {
			names = append(names, k.name)
		}
		return Workload{}, fmt.Errorf("there is no workload %q; there are %s", text, strings.Join(names, ", "))
	}
	k := kinds[at]
	w := Workload{Kind: k.name, Size: k.size, Random: random}
	if k.size > 0 && size > 0 {
		w.Size = size
	}
	for _, p := range parts[1:] {
		switch {
		case p == "rand" && k.size > 0:
			w.Random = true
		case p == "seq" && k.size > 0:
			w.Random = false
		case k.size > 0:
			n, err := parseShort(p)
			if err != nil {
				return Workload{}, fmt.Errorf("workload %q: %w", text, err)
			}
			w.Size = n
		default:
			return Workload{}, fmt.Errorf("workload %q: %s has no size", text, k.name)
		}
	}
	if k.size == 0 {
		w.Random = false
	} else if w.Size < 8 || w.Size > sizeMax || w.Size%8 != 0 {
		return Workload{}, fmt.Errorf("workload %q: a size of %d bytes; it must be a multiple of 8 up to %d", text, w.Size, sizeMax)
	}
	return w, nil
}

// parseShort understands 4k, 64k, 1m and plain bytes.
func parseShort(text string) (int, error) {
	number, factor := text, 1
	switch {
	case strings.HasSuffix(text, "k"):
		number, factor = text[:len(text)-1], 1<<10
	case strings.HasSuffix(text, "m"):
		number, factor = text[:len(text)-1], 1<<20
	}
	n, err := strconv.Atoi(number)
	if err != nil || n < 1 || n > sizeMax {
		return 0, fmt.Errorf("%q is no size; write 4k, 64k or 1m", text)
	}
	return n * factor, nil
}

// String returns the workload in the form that ParseWorkload takes.
func (w Workload) String() string {
	if w.Size == 0 {
		return w.Kind
	}
	s := w.Kind + "-" + short(w.Size)
	if w.Random {
		return s + "-rand"
	}
	if w.Kind == "read" || w.Kind == "write" {
		return s + "-seq"
	}
	return s
}

func short(n int) string {
	switch {
	case n%(1<<20) == 0:
		return strconv.Itoa(n>>20) + "m"
	case n%(1<<10) == 0:
		return strconv.Itoa(n>>10) + "k"
	}
	return strconv.Itoa(n)
}

// needs says which files a workload works on.
func (w Workload) needs() (data, names, directory bool) {
	switch w.Kind {
	case "read", "write":
		return true, false, false
	case "mixed":
		return true, true, true
	case "getattr", "lookup", "access", "open", "lock", "setattr":
		return false, true, false
	case "readdirplus":
		return false, false, true
	}
	return false, false, false
}

// keeps reports whether the tasks need whole replies.
func (w Workload) keeps(v Version, verify bool) bool {
	handles := w.Kind == "tree" || v.Major == 4 &&
		(w.Kind == "create" || w.Kind == "make" || w.Kind == "open")
	return handles || verify && (w.Kind == "read" || w.Kind == "mixed")
}

// discards reports whether replies have so much data that the kernel should discard it. Small data
// is cheaper to copy than to discard with a call of its own.
func (w Workload) discards() bool { return w.Kind == "read" && w.Size >= 2*discardLeast }
