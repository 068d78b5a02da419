package emit_test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfstest/again"
)

// packages imports what generated code uses, once for all tests. Only one test at a time may use
// it.
var packages = sync.OnceValue(func() types.Importer {
	return importer.ForCompiler(token.NewFileSet(), "source", nil)
})

// compiles checks the types of generated code.
func compiles(t testing.TB, code string) {
	t.Helper()
	again.Skip(t)
	files := token.NewFileSet()
	f, err := parser.ParseFile(files, "p_xdr.go", code, parser.SkipObjectResolution)
	require.NoError(t, err)
	c := types.Config{Importer: packages()}
	_, err = c.Check("p", files, []*ast.File{f}, nil)
	require.NoError(t, err, "%s", code)
}

// everyKind is a source with each type in each form at each place, and each case that a
// union may have.
func everyKind() string {
	var b strings.Builder
	b.WriteString(`
		const ONE = 1; const NINE = 9; const BELOW = -3;
		enum good { A = 0, B = 1, C = 5 }; enum bad { D = -1, E = 1 }; enum lone { F = 4 };
		struct flat { int x; hyper y; bool z; good g; };
		struct loose { string x<>; int y; };
		struct single { int x; };
		union chosen switch (int t) { case 1: int x; default: loose y; };
		struct node { int x; node *next; };
		struct bare { bare *next; };
		typedef struct ring_node *ring; struct ring_node { string x<>; ring next; };
		typedef opaque kept<>; /* xdrgen:keep 9 */
		typedef many kept_set<>; /* xdrgen:keep 9 */
		typedef hyper kept_series<>; /* xdrgen:keep 9 */
		typedef unsigned int uint32_t; typedef hyper int64;
	`)
	names := []string{
		"int", "unsigned", "unsigned int", "hyper", "unsigned hyper", "float", "double", "bool",
		"good", "bad", "lone", "flat", "loose", "single", "chosen", "ring", "kept", "kept_set",
		"kept_series", "uint32_t", "int64",
	}
	// A typedef of each type in each form, and a typedef of that.
	forms := []string{"%s %s", "%s %s[3]", "%s %s<>", "%s %s<NINE>", "%s *%s"}
	n := 0
	for round := range 2 {
		for _, of := range names {
			for _, form := range forms {
				n++
				name := fmt.Sprintf("t%d", n)
				fmt.Fprintf(&b, "typedef "+form+";\n", of, name)
				if round == 0 && n%7 == 0 || of == "int" {
					names = append(names, name)
				}
			}
		}
	}
	for _, bytes := range []string{"opaque %s[5]", "opaque %s[8]", "opaque %s[0]", "opaque %s[200]", "opaque %s<>", "opaque %s<E>", "string %s<>", "string %s<ONE>"} {
		n++
		fmt.Fprintf(&b, "typedef "+bytes+"; typedef t%d u%d;\n", fmt.Sprintf("t%d", n), n, n)
		fmt.Fprintf(&b, "struct sb%d { "+bytes+"; t%d y; u%d z[2]; u%d *w; int end; };\n", n, "x", n, n, n)
		if !strings.Contains(bytes, "[0]") { // an element that takes no bytes can have no number
			names = append(names, fmt.Sprintf("u%d", n))
		}
	}
	// Use each type in each form as a field, alone and between others, and as an arm.
	for i, of := range names {
		for k, form := range forms {
			x := fmt.Sprintf(form, of, "x")
			fmt.Fprintf(&b, "struct s%d_%d { %s; };\n", i, k, x)
			fmt.Fprintf(&b, "struct m%d_%d { int a; hyper b; %s; bool c; good d; };\n", i, k, x)
			fmt.Fprintf(&b, "union v%d_%d switch (bool t) { case TRUE: %s; case FALSE: void; };\n", i, k, x)
			fmt.Fprintf(&b, "union d%d_%d switch (good t) { case B: int y; default: %s; };\n", i, k, x)
		}
	}
	b.WriteString(
		"struct lists { node *x; bare *y; ring z; struct { int a; union switch (bool t) { case 1: int b; default: void; } c; } w; };\n",
	)
	// Use each tag with each case that it may have.
	b.WriteString(
		"typedef bool yes; typedef good fine; typedef fine finer; typedef int whole; typedef unsigned many; typedef many more;\n",
	)
	for i, tag := range []struct{ types, cases string }{
		{"int whole", "-1 BELOW A E C NINE 2147483647"},
		{"int whole", "D FALSE TRUE"},
		{"unsigned uint32_t many more", "A E C NINE 0xffffffff"},
		{"unsigned uint32_t many more", "FALSE TRUE F"},
		{"bool yes", "TRUE FALSE"}, {"bool yes", "1 0"}, {"bool yes", "ONE"}, {"bool yes", "B A"},
		{"good fine finer", "A B C"}, {"bad", "D E"}, {"lone", "F"},
	} {
		for k, typ := range strings.Fields(tag.types) {
			for _, end := range []string{"", "default: void;", "default: int other;"} {
				n++
				fmt.Fprintf(&b, "union w%d_%d_%d switch (%s t) {", i, k, n, typ)
				for at, label := range strings.Fields(tag.cases) {
					fmt.Fprintf(&b, " case %s: int x%d;", label, at)
				}
				fmt.Fprintf(&b, "%s };\n", end)
				n++
				fmt.Fprintf(&b, "union w%d_%d_%d switch (%s t) { case %s: void; %s };\n", i, k, n, typ,
					strings.Join(strings.Fields(tag.cases), ": case "), end)
			}
		}
	}
	// Arms so many that they are zeroed together, each kind alone or all of them.
	for i, end := range []string{"", "default: void;", "default: kept_set other;"} {
		fmt.Fprintf(&b, "union x%d switch (int t) {", i)
		for k, of := range names[:19] {
			fmt.Fprintf(&b, " case %d: %s a%d; case %d: %s *b%d; case %d: %s c%d<4>; case %d: void;",
				4*k, of, k, 4*k+1, of, k, 4*k+2, of, k, 4*k+3)
		}
		fmt.Fprintf(&b, "%s };\n", end)
	}
	b.WriteString(
		"program P { version V { void P_NULL(void) = 0; string P_ONE(int, flat) = 4; } = 1; } = 0x20000000;\n",
	)
	return b.String()
}

func TestEveryKindOfDeclarationCompiles(t *testing.T) {
	code, err := generate(t, everyKind())
	require.NoError(t, err)
	compiles(t, code)
}

func TestFewDeclarationsImportNoMoreThanTheyUse(t *testing.T) {
	for _, src := range []string{
		"const A = 1;", "enum a { B = 1 };", "typedef float a;", "typedef int *a;", "typedef int a[2];",
		"struct a { float b; double c; };", "struct a { int b; };", "struct a { int b; int c; };",
		"program P { version V { void A(void) = 0; } = 1; } = 1;",
	} {
		code, err := generate(t, src)
		require.NoError(t, err)
		compiles(t, code)
	}
}
