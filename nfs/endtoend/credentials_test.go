package endtoend

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/nfstest"
)

const alice, bob = 1001, 1002

// Two users share a connection, with many calls of both under way at any time.
func TestTwoUsersOfOneConnectionNeverSeeEachOthersFiles(t *testing.T) {
	needRoot(t)
	s, _ := serveDir(t)
	root, top := s.mount()
	type user struct {
		c         *nfstest.Client
		id        uint32
		dir, file fh
		inside    fh
		text      string
	}
	users := make([]user, 2)
	for i, id := range []uint32{alice, bob} {
		c := root.As(id, id)
		text := fmt.Sprintf("only for %d", id)
		dir := mkdir(t, c, top, fmt.Sprintf("dir%d", id), 0o700)
		inside := put(t, c, dir, "inside", []byte(text))
		file := put(t, c, top, fmt.Sprintf("file%d", id), []byte(text))
		ok(t, c.Setattr(file, nfstest.Mode(0o600), nil).Status)
		users[i] = user{c, id, dir, file, inside, text}
	}
	type asked struct {
		u, of int
		proc  uint32
		p     *nfstest.Pending
	}
	check := func(a asked) {
		r := a.p.Reply()
		st := statusOf(t, a.proc, r.Results)
		who := fmt.Sprintf("%s of %d's by %d", nfs3.NFSV3Names[a.proc], users[a.of].id, users[a.u].id)
		if a.u != a.of {
			if a.proc == nfs3.NFSPROC3_ACCESS {
				var res nfs3.ACCESS3res
				require.NoError(t, nfstest.Decode(r.Results, &res))
				require.Zero(t, res.Resok.Access, who)
				return
			}
			want := nfs3.NFS3ERR_ACCES
			if a.proc == nfs3.NFSPROC3_SETATTR {
				want = nfs3.NFS3ERR_PERM
			}
			require.Equal(t, want, st, who)
			return
		}
		ok(t, st, who)
		if a.proc == nfs3.NFSPROC3_READ {
			var res nfs3.READ3res
			require.NoError(t, nfstest.Decode(r.Results, &res))
			require.Equal(t, users[a.u].text, string(res.Resok.Data), who)
		}
	}
	var window []asked
	for round := range 600 {
		for u := range users {
			for of := range users {
				o := &users[of]
				for proc, args := range map[uint32]nfstest.Encoder{
					nfs3.NFSPROC3_READ:        nfstest.ReadArgs(o.file, 0, 100),
					nfs3.NFSPROC3_ACCESS:      &nfs3.ACCESS3args{Object: o.file, Access: 0x3f},
					nfs3.NFSPROC3_LOOKUP:      &nfs3.LOOKUP3args{What: nfstest.At(o.dir, "inside")},
					nfs3.NFSPROC3_READDIR:     &nfs3.READDIR3args{Dir: o.dir, Count: 4096},
					nfs3.NFSPROC3_READDIRPLUS: &nfs3.READDIRPLUS3args{Dir: o.dir, Dircount: 4096, Maxcount: 4096},
					nfs3.NFSPROC3_WRITE:       nfstest.WriteArgs(o.file, 0, []byte(o.text), nfs3.UNSTABLE),
					nfs3.NFSPROC3_SETATTR:     &nfs3.SETATTR3args{Object: o.file, NewAttributes: nfstest.Mode(0o600)},
				} {
					if proc > nfs3.NFSPROC3_WRITE && round%10 != 0 ||
						proc == nfs3.NFSPROC3_SETATTR && round%20 != 0 {
						continue
					}
					window = append(window, asked{u, of, proc, users[u].c.Start(proc, args)})
				}
			}
		}
		for len(window) > 64 {
			check(window[0])
			window = window[1:]
		}
	}
	for _, a := range window {
		check(a)
	}
}

func TestNewFilesBelongToTheirMaker(t *testing.T) {
	needRoot(t)
	s, dir := serveDir(t)
	root, top := s.mount()
	c := root.As(alice, 500, 600, 700)
	made := map[string]fh{
		"file":      create(t, c, top, "file", 0o644),
		"directory": mkdir(t, c, top, "directory", 0o755),
		"link":      c.Symlink(top, "link", "x").Resok.Obj.Handle,
		"fifo":      c.Mknod(top, "fifo", nfs3.NF3FIFO, 0, 0, nfstest.Mode(0o644)).Resok.Obj.Handle,
		"exclusive": c.CreateExclusive(top, "exclusive", nfs3.Createverf3{1}).Resok.Obj.Handle,
	}
	for name, h := range made {
		a := getattr(t, c, h)
		require.Equal(t, []any{nfs3.Uid3(alice), nfs3.Gid3(500)}, []any{a.Uid, a.Gid}, name)
	}
	require.NoError(t, os.Mkdir(filepath.Join(dir, "shared"), 0o777))
	require.NoError(t, os.Chown(filepath.Join(dir, "shared"), 0, 4242))
	require.NoError(t, os.Chmod(filepath.Join(dir, "shared"), 0o777|os.ModeSetgid))
	a := getattr(t, c, create(t, c, lookup(t, c, top, "shared"), "inherits", 0o644))
	require.EqualValues(t, 4242, a.Gid, "a directory with the set-group-id bit gives its group")
	given := c.Create(top, "given", nfs3.GUARDED, nfstest.Owner(bob, bob))
	require.Equal(t, nfs3.NFS3ERR_PERM, given.Status, "only root gives files away")
}

func TestSupplementaryGroupsCount(t *testing.T) {
	needRoot(t)
	s, _ := serveDir(t)
	root, top := s.mount()
	f := put(t, root, top, "file", []byte("for the group"))
	ok(t, root.Setattr(f, nfstest.Owner(0, 600), nil).Status)
	ok(t, root.Setattr(f, nfstest.Mode(0o640), nil).Status)
	sixteen := []uint32{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 600}
	for range 50 {
		require.Equal(t, nfs3.NFS3ERR_ACCES, root.As(alice, 500).Read(f, 0, 100).Status)
		ok(t, root.As(alice, 500, sixteen...).Read(f, 0, 100).Status)
		ok(t, root.As(alice, 600).Read(f, 0, 100).Status)
		require.Equal(t, nfs3.NFS3ERR_ACCES, root.As(alice, 500, sixteen[:15]...).Read(f, 0, 100).Status)
		require.Equal(
			t,
			nfs3.NFS3ERR_ACCES,
			root.As(alice, 500, 600).Write(f, 0, []byte("x"), nfs3.UNSTABLE).Status,
		)
	}
}

func TestSquashing(t *testing.T) {
	needRoot(t)
	for _, x := range []struct {
		name             string
		squash           export.Squash
		anonUID, anonGID uint32
		root, user       [2]uint32 // owners of the files of 0:0 and alice:500
		anonymous        [2]uint32 // and of one of a caller with AUTH_NONE
	}{
		{"root", export.SquashRoot, 0, 0, [2]uint32{65534, 65534}, [2]uint32{alice, 500}, [2]uint32{65534, 65534}},
		{"root to others", export.SquashRoot, 70, 71, [2]uint32{70, 71}, [2]uint32{alice, 500}, [2]uint32{70, 71}},
		{"none", export.SquashNone, 0, 0, [2]uint32{0, 0}, [2]uint32{alice, 500}, [2]uint32{65534, 65534}},
		{"none but AUTH_NONE", export.SquashNone, 70, 71, [2]uint32{0, 0}, [2]uint32{alice, 500}, [2]uint32{70, 71}},
		{"all", export.SquashAll, 0, 0, [2]uint32{65534, 65534}, [2]uint32{65534, 65534}, [2]uint32{65534, 65534}},
		{"all to others", export.SquashAll, 70, 71, [2]uint32{70, 71}, [2]uint32{70, 71}, [2]uint32{70, 71}},
	} {
		t.Run(x.name, func(t *testing.T) {
			noLeaks(t)
			cfg := config(t, exportDir(t))
			cfg.Exports[0].Squash, cfg.Exports[0].AnonUID, cfg.Exports[0].AnonGID = x.squash, x.anonUID, x.anonGID
			s := start(t, cfg)
			c, top := s.mount()
			for name, by := range map[string]struct {
				c    *nfstest.Client
				want [2]uint32
			}{
				"root": {c, x.root}, "user": {c.As(alice, 500), x.user}, "AUTH_NONE": {c.Anonymous(), x.anonymous},
			} {
				a := getattr(t, c, create(t, by.c, top, name, 0o644))
				require.Equal(t, by.want, [2]uint32{uint32(a.Uid), uint32(a.Gid)}, name)
			}
			secret := filepath.Join(cfg.Exports[0].Dir, "secret")
			require.NoError(t, os.WriteFile(secret, []byte("root's"), 0o600))
			read := c.Read(lookup(t, c, top, "secret"), 0, 100)
			if x.squash == export.SquashNone {
				ok(t, read.Status)
			} else {
				require.Equal(t, nfs3.NFS3ERR_ACCES, read.Status)
			}
		})
	}
}

func TestAReadOnlyExportIsNotChanged(t *testing.T) {
	noLeaks(t)
	dir := exportDir(t)
	require.NoError(t, os.WriteFile(filepath.Join(dir, "file"), []byte("content"), 0o666))
	require.NoError(t, os.Mkdir(filepath.Join(dir, "empty"), 0o777))
	cfg := config(t, dir)
	cfg.Exports[0].ReadOnly = true
	s := start(t, cfg)
	c, root := s.mount()
	f := lookup(t, c, root, "file")
	before := getattr(t, c, f)
	readOnly := map[uint32]bool{
		nfs3.NFSPROC3_GETATTR: true, nfs3.NFSPROC3_LOOKUP: true, nfs3.NFSPROC3_ACCESS: true, nfs3.NFSPROC3_READLINK: true, nfs3.NFSPROC3_READ: true,
		nfs3.NFSPROC3_READDIR: true, nfs3.NFSPROC3_READDIRPLUS: true, nfs3.NFSPROC3_FSSTAT: true, nfs3.NFSPROC3_FSINFO: true,
		nfs3.NFSPROC3_PATHCONF: true, nfs3.NFSPROC3_COMMIT: true,
	}
	for proc, args := range validArgs(root, f) {
		if args == nil {
			continue
		}
		st := status(t, c, uint32(proc), args)
		require.Equal(
			t,
			!readOnly[uint32(proc)],
			st == nfs3.NFS3ERR_ROFS,
			"%s: %v",
			nfs3.NFSV3Names[proc],
			st,
		)
	}
	access := c.Access(f, 0x3f)
	ok(t, access.Status)
	require.EqualValues(t, nfs3.ACCESS3_READ, access.Resok.Access)
	access = c.Access(root, 0x3f)
	require.EqualValues(t, nfs3.ACCESS3_READ|nfs3.ACCESS3_LOOKUP, access.Resok.Access)
	require.Equal(t, "content", string(c.Read(f, 0, 100).Resok.Data))
	after := getattr(t, c, f)
	before.Atime, after.Atime = nfs3.Nfstime3{}, nfs3.Nfstime3{}
	require.Equal(t, before, after)
	require.ElementsMatch(t, []string{"file", "empty"}, c.Names(root))
}
