package nfs

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// A directory can be reached through another export if its path lies below that export's on the
// same device, or, as for a subvolume, on the same mount. A path that only begins with the same
// letters does not count.
func TestWhichDirectoryLiesInWhichOther(t *testing.T) {
	at := func(path string, dev, mount uint64) place { return place{path: path, dev: dev, mount: mount} }
	for name, c := range map[string]struct {
		p, q place
		want bool
	}{
		"below":                        {at("/srv/a/b", 1, 1), at("/srv/a", 1, 1), true},
		"far below":                    {at("/srv/a/b/c", 1, 1), at("/srv/a", 1, 1), true},
		"below the root":               {at("/srv", 1, 1), at("/", 1, 1), true},
		"a subvolume":                  {at("/srv/a/b", 2, 1), at("/srv/a", 1, 1), true},
		"a bind mount of the same":     {at("/srv/a/b", 1, 2), at("/srv/a", 1, 1), true},
		"another file system":          {at("/srv/a/b", 2, 2), at("/srv/a", 1, 1), false},
		"the same":                     {at("/srv/a", 1, 1), at("/srv/a", 1, 1), false},
		"above":                        {at("/srv", 1, 1), at("/srv/a", 1, 1), false},
		"beside, with a longer name":   {at("/srv/ab", 1, 1), at("/srv/a", 1, 1), false},
		"below one with a longer name": {at("/srv/ab/c", 1, 1), at("/srv/a", 1, 1), false},
		"one that is nowhere":          {at("", 1, 1), at("/", 1, 1), false},
		"below one that is nowhere":    {at("/srv", 0, 0), place{}, false},
	} {
		require.Equal(t, c.want, c.p.within(&c.q), name)
	}
}
