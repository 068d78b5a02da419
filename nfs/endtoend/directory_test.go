package endtoend

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

func TestCookiesThatWereNotGivenOut(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	d := mkdir(t, c, root, "dir", 0o755)
	names := map[string]bool{".": true, "..": true}
	for i := range 40 {
		name := fmt.Sprintf("file%d", i)
		create(t, c, d, name, 0o644)
		names[name] = true
	}
	for _, plus := range []bool{false, true} {
		first := c.Page(d, plus, 0, nfs3.Cookieverf3{}, 600)
		ok(t, first.Status)
		require.NotEmpty(t, first.Entries)
		require.False(t, first.EOF)
		last := first.Entries[len(first.Entries)-1].Cookie
		for _, verf := range []nfs3.Cookieverf3{{}, {1}, {7: 1}, {255, 255, 255, 255, 255, 255, 255, 255}} {
			if verf == first.Verf {
				continue
			}
			p := c.Page(d, plus, last, verf, 4096)
			require.Equal(t, nfs3.NFS3ERR_BAD_COOKIE, p.Status, "verifier %x", verf)
			require.True(t, p.Dir.AttributesFollow)
		}
		for _, cookie := range []nfs3.Cookie3{1 << 63, 1<<63 + 1, math.MaxUint64 - 1, math.MaxUint64} {
			require.Equal(
				t,
				nfs3.NFS3ERR_BAD_COOKIE,
				c.Page(d, plus, cookie, first.Verf, 4096).Status,
				"cookie %d",
				cookie,
			)
		}
		// Not every number can be told from a file system's own places in a directory. A
		// number that is no cookie continues somewhere, or is refused.
		for _, cookie := range []nfs3.Cookie3{1, 2, 3, 12345, last + 1, last - 1, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1<<62 + 3, 1<<63 - 1} {
			p := c.Page(d, plus, cookie, first.Verf, 4096)
			if p.Status != nfs3.NFS3_OK {
				require.Equal(t, nfs3.NFS3ERR_BAD_COOKIE, p.Status, "cookie %d", cookie)
				continue
			}
			seen := make(map[string]bool)
			for _, e := range p.Entries {
				require.True(t, names[e.Name], "cookie %d: %q", cookie, e.Name)
				require.False(t, seen[e.Name], "cookie %d: %q twice", cookie, e.Name)
				seen[e.Name] = true
			}
		}
	}
	other := mkdir(t, c, root, "other", 0o755)
	page := c.Page(d, false, 0, nfs3.Cookieverf3{}, 600)
	p := c.Page(other, false, page.Entries[0].Cookie, page.Verf, 4096)
	require.Equal(t, nfs3.NFS3ERR_BAD_COOKIE, p.Status, "the verifier of another directory")
}

func TestARepliesBoundIsKept(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	for i := range 100 {
		create(t, c, root, fmt.Sprintf("a file with a name of some length %d", i), 0o644)
	}
	for _, plus := range []bool{false, true} {
		for count := range uint32(1200) {
			if count > 300 && count%16 != 0 {
				continue
			}
			p := c.Page(root, plus, 0, nfs3.Cookieverf3{}, count)
			if p.Status != nfs3.NFS3_OK {
				require.Equal(t, nfs3.NFS3ERR_TOOSMALL, p.Status, "count %d", count)
				require.Less(t, count, uint32(300))
				continue
			}
			require.NotEmpty(t, p.Entries, "count %d", count)
			require.LessOrEqual(t, size(p.Entries, plus), int(count))
		}
		for _, count := range []uint32{1 << 20, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
			p := c.Page(root, plus, 0, nfs3.Cookieverf3{}, count)
			ok(t, p.Status)
			require.Len(t, p.Entries, 102)
			require.True(t, p.EOF)
		}
	}
	require.Equal(
		t,
		nfs3.NFS3ERR_NOTDIR,
		c.Page(
			lookup(t, c, root, "a file with a name of some length 1"),
			false,
			0,
			nfs3.Cookieverf3{},
			4096,
		).Status,
	)
}

// A large directory is read in small pages while other files come and go. Each file that was there
// throughout is seen once, each that comes or goes at most once.
func TestALargeDirectoryIsReadWhileItChanges(t *testing.T) {
	s, dir := serveDir(t)
	c, root := s.mount()
	const stay = 20_000
	for i := range stay {
		f, err := os.OpenFile(filepath.Join(dir, fmt.Sprintf("stay%d", i)), os.O_CREATE|os.O_EXCL, 0o644)
		require.NoError(t, err)
		require.NoError(t, f.Close())
	}
	for i := range 500 {
		require.NoError(t, os.WriteFile(filepath.Join(dir, fmt.Sprintf("go%d", i)), nil, 0o644))
	}
	for _, plus := range []bool{false, true} {
		count, turn := uint32(6000), 0
		if plus {
			count = 32 << 10
		}
		all := c.List(root, plus, count, func() {
			turn++
			_ = os.Remove(filepath.Join(dir, fmt.Sprintf("go%d", turn))) // the second time it is gone
			name := fmt.Sprintf("come%v%d", plus, turn)
			if turn%2 == 0 {
				require.NoError(t, os.WriteFile(filepath.Join(dir, name), nil, 0o644))
				return
			}
			create(t, c, root, name, 0o644)
		})
		require.Greater(t, turn, 50)
		seen := make(map[string]int)
		stayed := 0
		for _, e := range all {
			seen[e.Name]++
			require.Equal(t, 1, seen[e.Name], e.Name)
			if len(e.Name) > 4 && e.Name[:4] == "stay" {
				stayed++
				if plus {
					require.True(t, e.Attr.AttributesFollow, e.Name)
					require.True(t, e.Handle.HandleFollows, e.Name)
					require.EqualValues(t, e.ID, e.Attr.Attributes.Fileid)
				}
			}
		}
		require.Equal(t, stay, stayed)
	}
}
