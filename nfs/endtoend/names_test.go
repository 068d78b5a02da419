package endtoend

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/mount3"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

// named returns the arguments of each procedure that takes a name, with this
// name.
func named(dir, file fh, name string) map[string]func() (uint32, nfstest.Encoder) {
	at := nfstest.At(dir, name)
	pair := func(proc uint32, args nfstest.Encoder) func() (uint32, nfstest.Encoder) {
		return func() (uint32, nfstest.Encoder) { return proc, args }
	}
	return map[string]func() (uint32, nfstest.Encoder){
		"LOOKUP": pair(nfs3.NFSPROC3_LOOKUP, &nfs3.LOOKUP3args{What: at}),
		"CREATE": pair(
			nfs3.NFSPROC3_CREATE,
			&nfs3.CREATE3args{Where: at, How: nfs3.Createhow3{Mode: nfs3.GUARDED}},
		),
		"CREATE UNCHECKED": pair(nfs3.NFSPROC3_CREATE, &nfs3.CREATE3args{
			Where: at, How: nfs3.Createhow3{Mode: nfs3.UNCHECKED},
		}),
		"CREATE EXCLUSIVE": pair(nfs3.NFSPROC3_CREATE, &nfs3.CREATE3args{
			Where: at, How: nfs3.Createhow3{Mode: nfs3.EXCLUSIVE, Verf: nfs3.Createverf3{1}},
		}),
		"MKDIR": pair(nfs3.NFSPROC3_MKDIR, &nfs3.MKDIR3args{Where: at}),
		"SYMLINK": pair(
			nfs3.NFSPROC3_SYMLINK,
			&nfs3.SYMLINK3args{Where: at, Symlink: nfs3.Symlinkdata3{SymlinkData: []byte("x")}},
		),
		"MKNOD": pair(
			nfs3.NFSPROC3_MKNOD,
			&nfs3.MKNOD3args{Where: at, What: nfs3.Mknoddata3{Type: nfs3.NF3FIFO}},
		),
		"REMOVE":      pair(nfs3.NFSPROC3_REMOVE, &nfs3.REMOVE3args{Object: at}),
		"RMDIR":       pair(nfs3.NFSPROC3_RMDIR, &nfs3.RMDIR3args{Object: at}),
		"RENAME from": pair(nfs3.NFSPROC3_RENAME, &nfs3.RENAME3args{From: at, To: nfstest.At(dir, "to")}),
		"RENAME to":   pair(nfs3.NFSPROC3_RENAME, &nfs3.RENAME3args{From: nfstest.At(dir, "file"), To: at}),
		"LINK":        pair(nfs3.NFSPROC3_LINK, &nfs3.LINK3args{File: file, Link: at}),
	}
}

// RFC 1813, section 3.2, and what each procedure says of "." and "..".
func TestBadNamesAreRefused(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	sub := mkdir(t, c, root, "sub", 0o777)
	f := put(t, c, sub, "file", []byte("content"))
	all := func(st nfs3.Nfsstat3, but map[string]nfs3.Nfsstat3) map[string]nfs3.Nfsstat3 {
		want := make(map[string]nfs3.Nfsstat3)
		for verb := range named(sub, f, "") {
			want[verb] = st
		}
		for verb, st := range but {
			want[verb] = st
		}
		return want
	}
	long := strings.Repeat("n", 256)
	dots := map[string]nfs3.Nfsstat3{
		"LOOKUP": nfs3.NFS3_OK, "REMOVE": nfs3.NFS3ERR_INVAL, "RMDIR": nfs3.NFS3ERR_INVAL,
		"RENAME from": nfs3.NFS3ERR_INVAL, "RENAME to": nfs3.NFS3ERR_INVAL,
	}
	dotdots := map[string]nfs3.Nfsstat3{
		"LOOKUP": nfs3.NFS3_OK, "REMOVE": nfs3.NFS3ERR_INVAL, "RMDIR": nfs3.NFS3ERR_EXIST,
		"RENAME from": nfs3.NFS3ERR_INVAL, "RENAME to": nfs3.NFS3ERR_INVAL,
	}
	for name, want := range map[string]map[string]nfs3.Nfsstat3{
		"":                          all(nfs3.NFS3ERR_ACCES, nil),
		"a/b":                       all(nfs3.NFS3ERR_ACCES, nil),
		"/":                         all(nfs3.NFS3ERR_ACCES, nil),
		"../../etc":                 all(nfs3.NFS3ERR_ACCES, nil),
		"a\x00b":                    all(nfs3.NFS3ERR_ACCES, nil),
		"\x00":                      all(nfs3.NFS3ERR_ACCES, nil),
		".":                         all(nfs3.NFS3ERR_EXIST, dots),
		"..":                        all(nfs3.NFS3ERR_EXIST, dotdots),
		long:                        all(nfs3.NFS3ERR_NAMETOOLONG, nil),
		strings.Repeat("n", 100000): all(nfs3.NFS3ERR_NAMETOOLONG, nil),
	} {
		for verb, call := range named(sub, f, name) {
			proc, args := call()
			require.Equal(
				t,
				want[verb],
				status(t, c, proc, args),
				"%s of %.20q (%d bytes)",
				verb,
				name,
				len(name),
			)
		}
	}
	require.Equal(t, []string{"file"}, c.Names(sub))
}

func TestNamesOf255BytesWork(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	f := put(t, c, root, "file", nil)
	for _, name := range []string{strings.Repeat("n", 255), "...", " ", "\xff\xfe", "-rf", "a\nb", "ü", `\`} {
		for _, verb := range []string{"CREATE", "LOOKUP", "REMOVE", "CREATE EXCLUSIVE", "REMOVE", "MKDIR", "RMDIR", "SYMLINK", "REMOVE", "MKNOD", "REMOVE", "LINK", "REMOVE"} {
			proc, args := named(root, f, name)[verb]()
			ok(t, status(t, c, proc, args), "%s of %q", verb, name)
			if proc != nfs3.NFSPROC3_REMOVE && proc != nfs3.NFSPROC3_RMDIR {
				require.True(t, slices.Contains(c.Names(root), name), name)
			}
		}
		ok(t, c.Rename(root, "file", root, name).Status)
		ok(t, c.Rename(root, name, root, "file").Status)
	}
}

func TestSymlinkTargetsAreAnyTextUpTo4095Bytes(t *testing.T) {
	s, _ := serveDir(t)
	c, root := s.mount()
	for target, want := range map[string]nfs3.Nfsstat3{
		"":                               nfs3.NFS3ERR_INVAL,
		"a\x00b":                         nfs3.NFS3ERR_INVAL,
		strings.Repeat("t", 4096):        nfs3.NFS3ERR_NAMETOOLONG,
		strings.Repeat("t", 4097):        nfs3.NFS3ERR_NAMETOOLONG,
		strings.Repeat("t/", 1<<19):      nfs3.NFS3ERR_NAMETOOLONG,
		"../../../etc/passwd":            nfs3.NFS3_OK,
		"/":                              nfs3.NFS3_OK,
		strings.Repeat("d/", 2000) + "x": nfs3.NFS3_OK,
	} {
		res := c.Symlink(root, "link", target)
		require.Equal(t, want, res.Status, "%.30q (%d bytes)", target, len(target))
		if want != nfs3.NFS3_OK {
			require.Empty(t, c.Names(root))
			continue
		}
		link := c.Readlink(res.Resok.Obj.Handle)
		ok(t, link.Status)
		require.Equal(t, target, string(link.Resok.Data))
		ok(t, c.Remove(root, "link").Status)
	}
}

func TestMountPathsAreBounded(t *testing.T) {
	s, dir := serveDir(t)
	c := s.dial()
	for path, want := range map[string]mount3.Mountstat3{
		dir + "/" + strings.Repeat("n", 256):       mount3.MNT3ERR_NAMETOOLONG,
		dir + "/" + strings.Repeat("d/", 1000):     mount3.MNT3ERR_NAMETOOLONG,
		dir + "/" + strings.Repeat("long/", 1<<17): mount3.MNT3ERR_NAMETOOLONG,
		dir + "/none":            mount3.MNT3ERR_NOENT,
		dir + "none":             mount3.MNT3ERR_NOENT,
		"/nowhere":               mount3.MNT3ERR_NOENT,
		dir + "/./././":          mount3.MNT3_OK,
		dir + "//":               mount3.MNT3_OK,
		dir + "/../" + base(dir): mount3.MNT3_OK,
		"/":                      mount3.MNT3_OK,
	} {
		_, st := nfstest.Mount(c, path)
		require.Equal(t, want, st, "%.80q", path)
	}
	_, st := nfstest.Mount(c, dir+"/a\x00b")
	require.NotEqual(t, mount3.MNT3_OK, st)
	_, st = nfstest.Mount(c, "")
	require.NotEqual(t, mount3.MNT3_OK, st)
}

func base(path string) string { return path[strings.LastIndexByte(path, '/')+1:] }
