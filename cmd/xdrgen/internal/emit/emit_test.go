package emit_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/emit"
	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/lang"
)

func generate(t testing.TB, src string) (string, error) {
	t.Helper()
	f, err := lang.Parse("t.x", src)
	require.NoError(t, err)
	code, err := emit.Go(f, "p")
	return string(code), err
}

// root is the top of the module, seen from here.
const root = "../../../.."

func TestRegeneratingLeavesTheTreeClean(t *testing.T) {
	found := 0
	require.NoError(t, filepath.WalkDir(root, func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && d.Name() == ".git" {
			return filepath.SkipDir
		}
		if err != nil || d.IsDir() || filepath.Ext(path) != ".x" {
			return err
		}
		found++
		src, err := os.ReadFile(path)
		require.NoError(t, err)
		want, err := os.ReadFile(strings.TrimSuffix(path, ".x") + "_xdr.go")
		require.NoError(t, err)
		there, err := parser.ParseFile(token.NewFileSet(), "", want, parser.PackageClauseOnly)
		require.NoError(t, err)
		f, err := lang.Parse(path, string(src))
		require.NoError(t, err)
		got, err := emit.Go(f, there.Name.Name)
		require.NoError(t, err)
		require.Equal(t, string(want), string(got), "%s: run go generate", path)
		return nil
	}))
	require.GreaterOrEqual(t, found, 4)
}

func TestEveryExportedTypeOfTheSampleHasAComment(t *testing.T) {
	f, err := parser.ParseFile(token.NewFileSet(), "../sample/sample_xdr.go", nil, parser.ParseComments)
	require.NoError(t, err)
	for _, d := range f.Decls {
		if g, ok := d.(*ast.GenDecl); ok && g.Tok == token.TYPE {
			require.NotNil(t, g.Doc, "%v", g.Specs[0].(*ast.TypeSpec).Name)
		}
	}
}

func TestNamesThatGoCannotTellApartAreRefused(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"two types", "typedef int a_b; struct aB { int c; };", "are both AB in Go"},
		{"type and constant", "const Abc = 1; struct abc { int c; };", "are both Abc in Go"},
		{"two fields", "struct a { int b_c; int bC; };", `field bC cannot be "BC" in Go`},
		{"field and method", "struct a { int encode; };", `field encode cannot be "Encode" in Go`},
		{"procedure in two versions", `program P { version V { void A(void) = 1; } = 1;
			version W { void A(void) = 2; } = 2; } = 1;`, "are both A in Go"},
		{"keyword", "const func = 1;", "func has another meaning in Go"},
		{"package", "const math = 1;", "math has another meaning in Go"},
		{"receiver", "enum a { v = 1 };", "v has another meaning in Go"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := generate(t, c.src)
			require.ErrorContains(t, err, c.want)
		})
	}
}

func TestVersionsMayShareProcedures(t *testing.T) {
	code, err := generate(t, `program P { version V { void A_NULL(void) = 0; } = 1;
		version W { void A_NULL(void) = 0; void A_MORE(void) = 1; } = 2; } = 7;`)
	require.NoError(t, err)
	require.Equal(t, 1, strings.Count(code, "A_NULL = 0"))
	require.Equal(t, 2, strings.Count(code, `A_NULL: "NULL"`))
}

func TestNames(t *testing.T) {
	code, err := generate(t, `
		/* nfs_fh3 is a handle. */
		struct nfs_fh3 { opaque data<>; };
		struct GETATTR3args { nfs_fh3 obj_attributes; int x__y_; };
		typedef unsigned hyper uint64;
		typedef uint64 size3;
		union post_op_attr switch (bool attributes_follow) { case TRUE: size3 size; case FALSE: void; };
	`)
	require.NoError(t, err)
	for _, want := range []string{
		"// NfsFh3 is a handle.\ntype NfsFh3 struct {\n\tData []byte\n}",
		"type GETATTR3args struct {\n\tObjAttributes NfsFh3\n\tXY            int32\n}",
		"type Size3 uint64",
		"type PostOpAttr struct {\n\tAttributesFollow bool\n\tSize             Size3\n}",
	} {
		require.Contains(t, code, want)
	}
	require.NotContains(t, code, "type Uint64")
}

// FuzzGo looks for sources that are accepted and give no Go.
func FuzzGo(f *testing.F) {
	src, err := os.ReadFile("../sample/sample.x")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(src))
	f.Add("const A = 1; typedef opaque b<A>; struct c { b *d; };")
	f.Add("enum a { B = 1 }; union c switch (unsigned d) { case B: int e; case 2: hyper *f; default: void; };")
	f.Fuzz(func(t *testing.T, src string) {
		parsed, err := lang.Parse("t.x", src)
		if err != nil {
			return
		}
		a, err := emit.Go(parsed, "p")
		if err != nil {
			return
		}
		b, err := emit.Go(parsed, "p")
		if err != nil || string(a) != string(b) {
			t.Fatal("the second run gives something else")
		}
		compiles(t, string(a))
	})
}
