package emit_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/emit"
	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/lang"
)

func TestDefinitionsOfAnotherSourceAreOfAnotherPackage(t *testing.T) {
	dir := t.TempDir()
	write := func(name, src string) string {
		path := filepath.Join(dir, name)
		require.NoError(t, os.MkdirAll(filepath.Dir(path), 0o755))
		require.NoError(t, os.WriteFile(path, []byte(src), 0o644))
		return path
	}
	write("go.mod", "module example.org/m\n")
	write("base/base.x", `
		const MOST = 7; enum kind { GOOD = 0, BAD = 3 }; typedef hyper int64; typedef unsigned number;
		struct flat { kind k; number n; int64 wide; }; struct node { int a; node *next; }; typedef opaque tag[MOST];
		typedef int *maybe; typedef string name<MOST>; typedef name alias; typedef string any<>;
	`)
	src := "#include \"../base/base.x\"\n" + `
		struct use { flat f; kind k; tag t; opaque b<MOST>; node *list; flat many<MOST>; int64 c; maybe d; flat e[MOST]; alias g; any h; };
		union pick switch (kind k) { case GOOD: flat f; default: void; };
		union count switch (unsigned u) { case BAD: number n; case MOST: void; };
	`
	f, err := lang.Parse(write("top/top.x", src), src)
	require.NoError(t, err)
	code, err := emit.Go(f, "top")
	require.NoError(t, err)
	for _, want := range []string{
		`"example.org/m/base"`, "F    base.Flat", "List []base.Node", "D    base.Maybe", "E    [base.MOST]base.Flat", "C    int64",
		"b[4:8], uint32(v.F.N)", "d.Opaque(base.MOST)", "case base.GOOD:", "case uint32(base.BAD):", "case base.MOST:",
		"v.G.Decode(d)", "v.H = d.Opaque(1<<32 - 1)",
	} {
		require.Contains(t, string(code), want)
	}
	require.NotContains(t, string(code), "type Flat")

	f, err = lang.Parse(
		filepath.Join(dir, "top/top.x"),
		"#include \"../base/base.x\"\nstruct own { int a; };",
	)
	require.NoError(t, err)
	code, err = emit.Go(f, "top")
	require.NoError(t, err)
	require.NotContains(t, string(code), "example.org", "nothing of it is used")
}
