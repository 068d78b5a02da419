package v4

import (
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/rpc"
	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// The pseudo file system is the tree of directories that lead to the exports (RFC 8881,
// section 7.3). It is made of the exports' paths and does not change. A client sees of it only
// what leads to an export that serves the client. A node at which an export begins is only the way
// to it: who is served by the export gets the export's top directory. To others the node is a
// directory that leads to the exports below it, if any of those serves them.

// node is one directory of the pseudo file system.
type node struct {
	id     uint64 // its handle and its fileid: the same as long as its path is
	name   string
	parent *node // nil for the root
	kids   []*node
	export *export.Export // the export that begins here, or nil
	covers []cover        // what it is mounted on, the innermost export first (crossing.go)
}

// tree is the pseudo file system.
type tree struct {
	root  *node
	byID  map[uint64]*node
	of    map[*export.Export]*node // where each export begins
	since vfs.Time                 // its change attribute and its times: when the server was started
}

// newTree makes the tree of the exports.
func newTree(exports []*export.Export) tree {
	now := time.Now()
	t := tree{
		byID:  make(map[uint64]*node),
		of:    make(map[*export.Export]*node),
		since: vfs.Time{Sec: now.Unix(), Nsec: uint32(now.Nanosecond())},
	}
	t.root = t.add(nil, "", "/")
	for _, x := range exports {
		at, path := t.root, ""
		for name := range strings.SplitSeq(x.Path, "/") {
			if name == "" {
				continue
			}
			path += "/" + name
			next := at.kid([]byte(name))
			if next == nil {
				next = t.add(at, name, path)
			}
			at = next
		}
		at.export, t.of[x] = x, at
	}
	return t
}

// add makes a node.
func (t *tree) add(parent *node, name, path string) *node {
	f := fnv.New64a()
	_, _ = f.Write([]byte(path))
	n := &node{name: name, parent: parent, id: f.Sum64() >> 1}
	for n.id == 0 || t.byID[n.id] != nil { // clients take 0 for no number
		n.id++
	}
	t.byID[n.id] = n
	if parent != nil {
		i, _ := slices.BinarySearchFunc(parent.kids, name, func(k *node, name string) int {
			return strings.Compare(k.name, name)
		})
		parent.kids = slices.Insert(parent.kids, i, n)
	}
	return n
}

// kid returns the node called name in n, or nil.
func (n *node) kid(name []byte) *node {
	for _, k := range n.kids {
		if k.name == string(name) {
			return k
		}
	}
	return nil
}

// serves reports whether an export begins at n that serves the caller.
func (n *node) serves(c *rpc.Call) bool {
	return n.export != nil && n.export.Refuses(c.Peer, c.Origin.Local()) == export.Served
}

// shows reports whether n leads to an export that serves the caller.
func (n *node) shows(c *rpc.Call) bool {
	return n.serves(c) || slices.ContainsFunc(n.kids, func(k *node) bool { return k.shows(c) })
}

// offers reports whether n leads to an export that serves the caller and squashes s.
func (n *node) offers(c *rpc.Call, s export.Squash) bool {
	return n.serves(c) && n.export.Squash == s ||
		slices.ContainsFunc(n.kids, func(k *node) bool { return k.offers(c, s) })
}

// attributes fills a with what n is like to the caller.
func (t *tree) attributes(n *node, c *rpc.Call, a *vfs.Attr) {
	kids := uint32(0)
	for _, k := range n.kids {
		if k.shows(c) {
			kids++
		}
	}
	*a = vfs.Attr{
		Mask: vfs.AttrBasic | vfs.AttrChange, Type: vfs.TypeDir, Mode: 0o555, Nlink: 2 + kids,
		Size: 4096, FileID: n.id, Atime: t.since, Mtime: t.since, Ctime: t.since, Change: t.since.Change(),
	}
}

// enter makes n the current file handle, or the top directory of the export that begins
// there, if that serves the caller.
func (k *compound) enter(n *node) {
	if n.serves(k.c) {
		h := n.export.FS.Root()
		k.at(n.export, &h)
		return
	}
	k.become(position{node: n})
}

// hides reports whether n leads to nothing for the caller. Config.Refused then hears of what the
// caller does not get.
func (k *compound) hides(n *node) bool {
	if n.shows(k.c) {
		return false
	}
	k.refuse(n)
	return true
}

// refuse tells Config.Refused of the exports at n and below, none of which serves the caller.
func (k *compound) refuse(n *node) {
	if x := n.export; x != nil && k.s.Refused != nil {
		k.s.Refused(k.c, x, x.Refuses(k.c.Peer, k.c.Origin.Local()))
	}
	for _, kid := range n.kids {
		k.refuse(kid)
	}
}
