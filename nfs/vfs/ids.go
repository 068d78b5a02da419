package vfs

import (
	"fmt"
	"strings"
)

// IDs are the user or group ids that the user namespace of the process maps. The process can act as
// no others. nil means all.
type IDs []IDRange

// IDRange is Count ids from First on.
type IDRange struct {
	First, Count uint32
}

// Has reports whether id is one of the ids.
func (m IDs) Has(id uint32) bool {
	if m == nil {
		return true
	}
	for _, r := range m {
		if id-r.First < r.Count { // an id below First wraps around and exceeds any Count
			return id >= r.First
		}
	}
	return false
}

// String lists the ranges.
func (m IDs) String() string {
	if m == nil {
		return "all"
	}
	var list []string
	for _, r := range m {
		if r.Count == 1 {
			list = append(list, fmt.Sprint(r.First))
		} else {
			list = append(list, fmt.Sprintf("%d-%d", r.First, uint64(r.First)+uint64(r.Count)-1))
		}
	}
	if list == nil {
		return "none"
	}
	return strings.Join(list, ", ")
}
