package vfs_test

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

func TestEveryStatusHasAName(t *testing.T) {
	seen := map[string]bool{}
	for s := range vfs.NumStatus {
		name := s.String()
		require.NotEmpty(t, name, "status %d", s)
		require.NotEqual(t, "unknown status", name, "status %d", s)
		require.False(t, seen[name], "two statuses are called %q", name)
		seen[name] = true
	}
	require.Equal(t, "unknown status", vfs.NumStatus.String())
	require.Zero(t, vfs.OK)
}

func TestHandlesCarryUpToTheirMaximum(t *testing.T) {
	for n := range vfs.HandleMax + 1 {
		b := bytes.Repeat([]byte{7}, n)
		h, ok := vfs.MakeHandle(b)
		require.True(t, ok)
		require.Equal(t, n, h.Len())
		require.Equal(t, b, append([]byte{}, h.Bytes()...))
	}
	_, ok := vfs.MakeHandle(make([]byte, vfs.HandleMax+1))
	require.False(t, ok)
}

func TestHandlesCompareByContentAndLength(t *testing.T) {
	b := []byte{1, 2, 3}
	h, _ := vfs.MakeHandle(b)
	same, _ := vfs.MakeHandle([]byte{1, 2, 3})
	require.Equal(t, h, same)
	longer, _ := vfs.MakeHandle([]byte{1, 2, 3, 0})
	require.NotEqual(t, h, longer, "a zero more is another handle")
	b[0] = 9
	require.Equal(t, byte(1), h.Bytes()[0], "the handle has its own copy")
}

func TestSetBeforeTakesThePreOperationHalf(t *testing.T) {
	var w vfs.WCC
	w.SetBefore(&vfs.Attr{Size: 1, Mtime: vfs.Time{Sec: 2}, Ctime: vfs.Time{Sec: 3}, Mode: 4})
	require.Equal(
		t,
		vfs.WCC{
			HasBefore: true,
			Before:    vfs.Before{Size: 1, Mtime: vfs.Time{Sec: 2}, Ctime: vfs.Time{Sec: 3}},
		},
		w,
	)
}

func TestEqualCredentialsAreOnePointer(t *testing.T) {
	var creds vfs.Creds
	a := creds.Intern(1, 2, []uint32{3, 4})
	require.Same(t, a, creds.Intern(1, 2, []uint32{3, 4}))
	for _, other := range []*vfs.Cred{
		creds.Intern(2, 1, []uint32{3, 4}), creds.Intern(1, 2, []uint32{4, 3}), creds.Intern(1, 2, []uint32{3}),
		creds.Intern(1, 2, nil), creds.Intern(1, 2, []uint32{3, 4, 0}), creds.Intern(1, 3, []uint32{3, 4}),
	} {
		require.NotSame(t, a, other)
	}
	require.Same(t, creds.Intern(1, 2, nil), creds.Intern(1, 2, []uint32{}))
	require.Equal(t, vfs.Cred{UID: 1, GID: 2, Groups: []uint32{3, 4}}, *a)
}

func TestInterningBorrowsTheGroups(t *testing.T) {
	var creds vfs.Creds
	groups := []uint32{3, 4}
	a := creds.Intern(1, 2, groups)
	groups[0] = 9
	require.Equal(t, []uint32{3, 4}, a.Groups)
}

func TestKnownCredentialsDoNotAllocate(t *testing.T) {
	var creds vfs.Creds
	groups := []uint32{3, 4, 5}
	creds.Intern(1, 2, groups)
	creds.Intern(2, 2, groups)
	require.Zero(t, testing.AllocsPerRun(100, func() {
		creds.Intern(1, 2, groups)
		creds.Intern(2, 2, groups)
	}))
}

// TestManyCredentialsDoNotGrowTheTable: a peer that invents identities costs users who are away a
// new look-up, but it does not cost the server its memory. Pointers that are held stay good, and
// users who keep calling keep their credentials.
func TestManyCredentialsDoNotGrowTheTable(t *testing.T) {
	var creds vfs.Creds
	first, busy := creds.Intern(7, 7, nil), creds.Intern(8, 8, []uint32{8})
	for uid := range uint32(20_000) {
		c := creds.Intern(uid, 1<<31, []uint32{uid})
		require.Equal(t, uid, c.UID)
		require.Same(t, c, creds.Intern(uid, 1<<31, []uint32{uid}))
		if uid%1000 == 0 {
			require.Same(t, busy, creds.Intern(8, 8, []uint32{8}))
		}
	}
	require.EqualValues(t, 7, first.UID)
	require.NotSame(t, first, creds.Intern(7, 7, nil), "it was forgotten")
}

// An ability is found in the View's Abilities. A type assertion would work only as long as nothing
// wraps the View.
func TestNobodyAssertsAbilities(t *testing.T) {
	abilities := map[string]bool{}
	able := reflect.TypeFor[vfs.Abilities]()
	for i := range able.NumField() {
		abilities[able.Field(i).Type.Name()] = true
	}
	asserted := 0
	require.NoError(t, filepath.WalkDir("../..", func(path string, d os.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") {
			return err
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			var to []ast.Expr
			switch n := n.(type) {
			case *ast.TypeAssertExpr:
				to = append(to, n.Type)
			case *ast.TypeSwitchStmt:
				for _, c := range n.Body.List {
					to = append(to, c.(*ast.CaseClause).List...)
				}
			}
			for _, x := range to {
				if s, ok := x.(*ast.SelectorExpr); ok {
					if p, ok := s.X.(*ast.Ident); ok && p.Name == "vfs" && abilities[s.Sel.Name] {
						t.Errorf("%s: an ability is asserted: use View.Abilities", files.Position(x.Pos()))
					}
				}
				asserted++
			}
			return true
		})
		return nil
	}))
	require.NotZero(t, asserted, "it has looked at something")
}
