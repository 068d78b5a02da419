package memfs

import (
	"slices"
	"strings"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Walk implements vfs.View. A link that leads above the root, or to an absolute path, leads out of
// the tree; Walk then returns Access.
func (v *view) Walk(c *vfs.Cred, path string, e *vfs.Entry) vfs.Status {
	t := v.t
	t.mu.RLock()
	defer t.mu.RUnlock()
	n, links := t.root, 0
	left := strings.Split(path, "/") // the rest of the way
	for len(left) > 0 {
		name := left[0]
		left = left[1:]
		if name == "" {
			continue
		}
		if name == ".." && n == t.root {
			return vfs.Access
		}
		child, s := n.lookup(c, []byte(name))
		if s != vfs.OK {
			return s
		}
		if child.typ != vfs.TypeLnk {
			n = child
			continue
		}
		if links++; links > linksMax {
			return vfs.Loop
		}
		target := string(child.target)
		if strings.HasPrefix(target, "/") {
			return vfs.Access
		}
		left = slices.Concat(strings.Split(target, "/"), left)
	}
	t.entry(n, e)
	return vfs.OK
}
