package lang_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/lang"
)

func TestMistakesAreFoundWithTheirPlace(t *testing.T) {
	for _, c := range []struct{ name, src, want string }{
		{"include of nothing", "#include \"none.x\"", "1:1: open none.x: no such file"},
		{"include of no source", "#include \"parse_test.go\"", "1:1: an include names a source"},
		{"include from anywhere", "#include \"/none.x\"", "1:1: an include names a source"},
		{"include without a path", "#include <none.x>", "1:1: an include names a source"},
		{"defined here and there", "#include \"../sample/sample.x\"\nstruct scalars { int a; };",
			"2:1: scalars is defined twice"},
		{"a bound that is kept in part", "typedef opaque a<5>; /* xdrgen:keep 4 */",
			"1:1: only an opaque, a string or an array of numbers without a bound"},
		{"numbers with a bound that are kept in part", "typedef int a<5>; /* xdrgen:keep 4 */",
			"1:1: only an opaque, a string or an array of numbers"},
		{"one number that is kept in part", "typedef int a; /* xdrgen:keep 4 */",
			"1:1: only an opaque, a string or an array of numbers"},
		{"enumerators that are kept in part", "enum e { A = 1 }; typedef e a<>; /* xdrgen:keep 4 */", "only an opaque, a string or an array of numbers"},
		{"booleans that are kept in part", "typedef bool a<>; /* xdrgen:keep 4 */",
			"only an opaque, a string or an array of numbers"},
		{"arrays that are kept in part", "typedef int e[2]; typedef e a<>; /* xdrgen:keep 4 */",
			"only an opaque, a string or an array of numbers"},
		{"structures that are kept in part", "struct e { int b; }; typedef e a<>; /* xdrgen:keep 4 */", "only an opaque, a string or an array of numbers"},
		{"kept to no number", "typedef opaque a<>; /* xdrgen:keep a */", "1:1: \"a\" is not a number below"},
		{"kept nearly whole", "typedef opaque a<>; /* xdrgen:keep 4294967295 */", "is not a number below"},
		{"nothing known", "hello", `1:1: expected a definition, found "hello"`},
		{"end inside", "struct a {", `1:11: expected a name, found ""`},
		{"comment without an end", "const A = 1;\n/* so", "2:1: comment without an end"},
		{"strange character", "const A = $;", "1:11: unexpected character"},
		{"not a number", "const A = 12x;", `1:11: "12x" is not a number`},
		{"octal with nine", "const A = 09;", `1:11: "09" is not a number`},
		{"keyword as a name", "const struct = 1;", `1:7: expected a name, found "struct"`},
		{"constant twice", "const A = 1;\nconst A = 1;", "2:1: A is defined twice"},
		{"enumerator twice", "enum e { A = 1, B = 2, A = 3 };", "1:24: A is defined twice"},
		{"constant by itself", "const A = B;\nconst B = A;", "is defined by itself"},
		{"unknown constant", "typedef opaque a<B>;", "1:18: B is not defined"},
		{"unknown type", "struct a { b c; };", "1:12: type b is not defined"},
		{"enumerator beyond 32 bits", "enum e { A = 2147483648 };", "1:10: A is not a 32-bit integer"},
		{"negative bound", "typedef opaque a<-1>;", "-1 is not an unsigned 32-bit integer"},
		{"huge fixed array", "typedef opaque a[1000000];", "is too large"},
		{"string without a length", "struct a { string s; };", "1:12: opaque and string need a length"},
		{"fixed string", "struct a { string s[4]; };", "need a length"},
		{"void field", "struct a { void; };", "1:12: a field is not void"},
		{"empty structure", "struct a { };", `expected a name, found "}"`},
		{"field twice", "struct a { int b; int b; };", "1:19: b is declared twice"},
		{"quadruple", "typedef quadruple q;", "quadruple is not supported"},
		{"union over a string", "typedef string s<>; union u switch (s t) { case 1: void; };",
			"the tag of a union is"},
		{"union over a hyper", "union u switch (hyper t) { case 1: void; };", "the tag of a union is"},
		{"case twice", "union u switch (int t) { case 1: void; case 1: void; };", "case 1 is there twice"},
		{"case of another enumeration", "enum e { A = 1 }; enum f { B = 1 }; union u switch (e t) { case B: void; };", "B is not of e"},
		{"case that is no boolean", "union u switch (bool t) { case 2: void; };", "2 cannot be a case"},
		{"arm twice", "union u switch (int t) { case 1: int a; case 2: int a; };", "a is declared twice"},
		{"default first", "union u switch (int t) { default: void; case 1: void; };",
			"the default comes last"},
		{"contains itself", "struct a { b c; }; struct b { a d<>; int e; };", "contains itself"},
		{"typedef of itself", "typedef a a;", "contains itself"},
		{"pointer that is not the last field", "struct a { a *next; int b; };", "contains itself"},
		{"list element without a pointer", "struct a { int b; a *next; }; struct c { a d; };",
			"needs a pointer"},
		{"elements without bytes", "typedef opaque none[0]; typedef none many<>;",
			"an element of many takes no bytes"},
		{"procedure number twice", "program P { version V { void A(void) = 1; void B(void) = 1; } = 1; } = 1;", "procedure number 1 is taken"},
		{"procedure of an unknown type", "program P { version V { a A(void) = 1; } = 1; } = 1;",
			"type a is not defined"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := lang.Parse("t.x", c.src)
			var e *lang.Error
			require.True(t, errors.As(err, &e), "%v", err)
			require.Nil(t, f)
			require.Contains(t, err.Error(), c.want)
			require.True(t, strings.HasPrefix(err.Error(), fmt.Sprintf("t.x:%d:%d: ", e.Pos.Line, e.Pos.Col)))
		})
	}
}

func TestNestingIsBounded(t *testing.T) {
	deep := strings.Repeat("struct { ", 40) + "int a;" + strings.Repeat(" } b;", 40)
	_, err := lang.Parse("t.x", "struct a { "+deep+" };")
	require.ErrorContains(t, err, "nested too deep")

	var chain strings.Builder
	chain.WriteString("struct s0 { int a; };")
	for i := range 200 {
		fmt.Fprintf(&chain, "struct s%d { s%d a; s%d b; };", i+1, i, i)
	}
	_, err = lang.Parse("t.x", chain.String())
	require.ErrorContains(t, err, "nested too deep")
}

func TestListsAreRecognized(t *testing.T) {
	f, err := lang.Parse("t.x", `
		struct direct { int a; direct *next; };
		typedef struct other *others;
		struct other { direct *list; others next; };
		struct plain { int *maybe; others them; };
	`)
	require.NoError(t, err)
	forms := map[string]lang.Form{}
	for _, d := range f.Defs {
		for _, decl := range lang.Decls(d) {
			forms[d.Header().Name+"."+decl.Name] = decl.Form
		}
	}
	require.Equal(t, map[string]lang.Form{
		"direct.a":      lang.Plain,
		"others.others": lang.List,
		"other.list":    lang.List,
		"plain.maybe":   lang.Optional,
		"plain.them":    lang.Plain,
	}, forms)
}

func TestCommentsGoWithWhatTheyStandAt(t *testing.T) {
	f, err := lang.Parse("t.x", `
/* of nothing, for there is a line between */

/* of A */
const A = 1; /* behind A */
/*
 * of s,
 * in two lines
 */
struct s {
	int a;	/* behind a */
	/* of b */
	int b;
};
`)
	require.NoError(t, err)
	a := f.Defs[0].Header()
	require.Equal(t, []string{"of A"}, a.Doc)
	require.Equal(t, "behind A", a.Tail)
	s := f.Defs[1].(*lang.Struct)
	require.Equal(t, []string{"of s,", "in two lines"}, s.Doc)
	require.Equal(t, "behind a", s.Fields[0].Tail)
	require.Empty(t, s.Fields[0].Doc)
	require.Equal(t, []string{"of b"}, s.Fields[1].Doc)
	require.Empty(t, s.Fields[1].Tail)
}

func TestLeastSizes(t *testing.T) {
	f, err := lang.Parse("t.x", `
		struct a { hyper b; opaque c[5]; string d<>; int e[3]; int *f; };
		union u switch (bool t) { case TRUE: a g; default: hyper h; };
		typedef u many[2];
		struct list { a i; list *next; };
		struct last { list *j; u k<>; };
	`)
	require.NoError(t, err)
	min := map[string]int{}
	for _, d := range f.Defs {
		for _, decl := range lang.Decls(d) {
			min[decl.Name] = lang.Min(decl)
		}
	}
	require.Equal(t, map[string]int{"b": 8, "c": 8, "d": 4, "e": 12, "f": 4, "t": 4, "g": 36, "h": 8,
		"many": 24, "i": 36, "j": 4, "k": 4}, min)
	last := f.Defs[4].(*lang.Struct)
	require.Equal(t, 40, lang.ElementMin(last.Fields[0]))
	require.Equal(t, 12, lang.ElementMin(last.Fields[1]))
}

// FuzzParse looks for sources that crash the parser or keep it busy.
func FuzzParse(f *testing.F) {
	sources, _ := filepath.Glob("../../../../nfs/*/*.x")
	for _, name := range append(sources, "../sample/sample.x") {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(src))
	}
	f.Add("union u switch (bool t) { case TRUE: struct { int a; } b; };")
	f.Fuzz(func(t *testing.T, src string) {
		parsed, err := lang.Parse("t.x", src)
		if (parsed == nil) == (err == nil) {
			t.Fatal("neither a file nor an error, or both")
		}
	})
}
