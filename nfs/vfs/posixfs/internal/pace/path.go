package pace

import "slices"

// Path says which threads make unstable writes. Workers make all stable ones.
type Path uint8

// The ways to write. The place where users choose one says what it is for.
const (
	Auto Path = iota
	Worker
	Inline
	paths // how many there are
)

// ParsePath reads the word of a path.
func ParsePath(word string) (p Path, ok bool) {
	i := slices.Index([]string{Auto: "auto", Worker: "worker", Inline: "inline"}, word)
	return Path(max(i, 0)), i >= 0
}

// Known reports whether p is one of the paths.
func (p Path) Known() bool { return p < paths }
