package load

import (
	"fmt"
	"slices"
	"strings"
)

// Version is a version of NFS. The zero value is version 3.
type Version struct{ Major, Minor uint32 }

// versions are those that the client speaks.
var versions = []Version{{3, 0}, {4, 0}, {4, 1}, {4, 2}}

// ParseVersion understands 3, 4.0, 4.1 and 4.2.
func ParseVersion(text string) (Version, error) {
	for _, v := range versions {
		if v.String() == text {
			return v, nil
		}
	}
	return Version{}, fmt.Errorf("there is no version %q; say %s", text, strings.Join(Versions(), ", "))
}

// Versions lists what ParseVersion understands.
func Versions() []string {
	var names []string
	for _, v := range versions {
		names = append(names, v.String())
	}
	return names
}

// String returns the version in the form that ParseVersion takes.
func (v Version) String() string {
	if v.Major != 4 {
		return "3"
	}
	return fmt.Sprintf("%d.%d", v.Major, v.Minor)
}

// only4 are the kinds of workloads that version 3 does not have.
var only4 = []string{"open", "lock"}

// Has says why the version cannot run a workload.
func (v Version) Has(w Workload) error {
	if v.Major != 4 && slices.Contains(only4, w.Kind) {
		return fmt.Errorf("NFSv3 has no %s: measure it with --nfs 4.2, or leave the workload out", w.Kind)
	}
	return nil
}
