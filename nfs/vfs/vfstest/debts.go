package vfstest

import (
	"slices"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// debtTests are tests of changes, with what these owe put off until the end.
var debtTests = slices.Concat(late(renameTests), late(modelTests), []testCase{
	{"what has been put off outlives its objects", debtsOfWhatIsGone},
	{"debts are paid in the middle", debtsInTheMiddle},
})

// late returns cases with the debts of the test's thread open, and paid at the end.
func late(cases []testCase) []testCase {
	all := slices.Clone(cases)
	for i, c := range all {
		all[i] = testCase{"late: " + c.name, func(t *T) {
			d := &t.thread.Debts
			d.Open()
			c.run(t)
			require.Equal(t, vfs.OK, d.Pay(d.Close()))
			require.False(t, d.Owing())
		}}
	}
	return all
}

func debtsOfWhatIsGone(t *T) {
	d := &t.thread.Debts
	d.Open()
	for range 3 {
		dir := t.mkdir(t.Root, "dir", 0o755)
		f := t.create(dir, "f", 0o644)
		t.write(f, 0, []byte("content"))
		t.set(f, &vfs.SetAttr{HasSize: true, Size: 3})
		t.rename(dir, "f", t.Root, "g")
		t.remove(t.Root, "g")
		t.rmdir(t.Root, "dir")
		var a vfs.Attr
		require.Equal(t, vfs.Stale, t.V.GetAttr(f, &a))
	}
	require.Equal(t, vfs.OK, d.Pay(d.Close()))
	t.hasNames(t.Root)
}

func debtsInTheMiddle(t *T) {
	d := &t.thread.Debts
	d.Open()
	f := t.create(t.Root, "f", 0o644)
	require.Equal(t, vfs.OK, d.PayAll())
	require.False(t, d.Owing())
	_, _, _, s := t.Worker.Write(t.C, f, &vfs.WriteArgs{Src: [][]byte{[]byte("stable")}, How: vfs.FileSync},
		new(vfs.WCC))
	require.Equal(t, vfs.OK, s)
	require.Equal(t, []byte("stable"), t.read(f, 0, 10))
	require.Equal(t, vfs.OK, d.Pay(d.Close()))
	t.remove(t.Root, "f")
	require.False(t, d.Owing(), "closed")
}
