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
// section 7.3). It is made of the exports' paths and does not change. A node at which an
// export begins is only the way to it: whoever looks it up gets the export's top directory.

// node is one directory of the pseudo file system.
type node struct {
	id     uint64 // its handle and its fileid: the same as long as its path is
	name   string
	parent *node // nil for the root
	kids   []*node
	export *export.Export // the export that begins here, or nil
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

// shows reports whether n leads to an export that serves the caller.
func (n *node) shows(c *rpc.Call) bool {
	if n.export != nil && n.export.Refuses(c.Peer, c.Origin.Local()) == export.Served {
		return true
	}
	return slices.ContainsFunc(n.kids, func(k *node) bool { return k.shows(c) })
}

// attributes fills a with what a node is like.
func (t *tree) attributes(n *node, a *vfs.Attr) {
	*a = vfs.Attr{
		Mask: vfs.AttrBasic | vfs.AttrChange, Type: vfs.TypeDir, Mode: 0o555, Nlink: uint32(2 + len(n.kids)),
		Size: 4096, FileID: n.id, Atime: t.since, Mtime: t.since, Ctime: t.since, Change: t.since.Change(),
	}
}

// enter makes n the current file handle, or the top directory of the export that begins
// there.
func (k *compound) enter(n *node) {
	if x := n.export; x != nil {
		h := x.FS.Root()
		k.at(x, &h)
		return
	}
	k.become(position{node: n})
}
