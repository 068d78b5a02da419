//go:build checks

package posixfs

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestAViewIsItsThreads(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{})
	const want = "checks: View used by a foreign thread"
	root, c, v := s.fs.Root(), s.root(), s.w.v // the runner's thread runs only its own functions
	made := &vfs.Made{Entry: new(vfs.Entry), Dir: new(vfs.WCC)}
	for name, use := range map[string]func(){
		"GetAttr": func() { v.GetAttr(root, new(vfs.Attr)) },
		"Lookup":  func() { v.Lookup(c, root, []byte("f"), &vfs.Found{Entry: new(vfs.Entry), Dir: new(vfs.Attr)}) },
		"Mkdir":   func() { v.Mkdir(c, root, &vfs.MkdirArgs{Name: []byte("d"), Set: &vfs.SetAttr{}}, made) },
		"Read":    func() { _, _, _ = v.Read(c, root, &vfs.ReadArgs{Dst: make([]byte, 1)}, new(vfs.Attr)) },
		"Splice":  func() { _, _, _ = v.Splice(c, root, &vfs.SpliceArgs{N: 1, To: &vfs.Pipe{}}, new(vfs.Attr)) },
		"Walk":    func() { v.Walk(c, "", new(vfs.Entry)) },
		"GetACL":  func() { v.GetACL(c, root, new(vfs.ACLSet), new(vfs.Attr)) },
		"as":      func() { v.as(c) },
		"Close":   v.Close,
	} {
		require.PanicsWithValue(t, want, use, name)
	}
	s.w.do(func(v *View) { require.Equal(t, vfs.OK, v.GetAttr(root, new(vfs.Attr))) })
}
