package nfstest

import (
	"errors"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// FH is a file handle.
type FH = nfs3.NfsFh3

// verbs returns the verbs of package client. In this package a call that fails ends the test; the
// test itself looks at the status of the results.
func (c *Client) verbs() client.NFS { return client.NFS{Caller: c} }

// done ends a verb. An error that is not a status ends the test.
func done[R any](c *Client, res R, err error) R {
	c.t.Helper()
	var status *client.StatusError
	if err != nil && !errors.As(err, &status) {
		c.t.Fatal(err)
	}
	return res
}

// Null calls NULL.
func (c *Client) Null() {
	c.t.Helper()
	done(c, 0, c.verbs().Null())
}

// Getattr calls GETATTR.
func (c *Client) Getattr(fh FH) nfs3.GETATTR3res {
	c.t.Helper()
	res, err := c.verbs().Getattr(fh)
	return done(c, res, err)
}

// Setattr calls SETATTR; guard may be nil.
func (c *Client) Setattr(fh FH, s nfs3.Sattr3, guard *nfs3.Nfstime3) nfs3.SETATTR3res {
	c.t.Helper()
	res, err := c.verbs().Setattr(fh, s, guard)
	return done(c, res, err)
}

// Lookup calls LOOKUP.
func (c *Client) Lookup(dir FH, name string) nfs3.LOOKUP3res {
	c.t.Helper()
	res, err := c.verbs().Lookup(dir, name)
	return done(c, res, err)
}

// Access calls ACCESS.
func (c *Client) Access(fh FH, want uint32) nfs3.ACCESS3res {
	c.t.Helper()
	res, err := c.verbs().Access(fh, want)
	return done(c, res, err)
}

// Readlink calls READLINK.
func (c *Client) Readlink(fh FH) nfs3.READLINK3res {
	c.t.Helper()
	res, err := c.verbs().Readlink(fh)
	return done(c, res, err)
}

// Read calls READ.
func (c *Client) Read(fh FH, off uint64, count uint32) nfs3.READ3res {
	c.t.Helper()
	res, err := c.verbs().Read(fh, off, count)
	return done(c, res, err)
}

// Write calls WRITE.
func (c *Client) Write(fh FH, off uint64, data []byte, how nfs3.StableHow) nfs3.WRITE3res {
	c.t.Helper()
	res, err := c.verbs().Write(fh, off, data, how)
	return done(c, res, err)
}

// Create calls CREATE with UNCHECKED or GUARDED.
func (c *Client) Create(dir FH, name string, mode nfs3.Createmode3, s nfs3.Sattr3) nfs3.CREATE3res {
	c.t.Helper()
	res, err := c.verbs().Create(dir, name, client.How(mode, s))
	return done(c, res, err)
}

// CreateExclusive calls CREATE with EXCLUSIVE.
func (c *Client) CreateExclusive(dir FH, name string, verf nfs3.Createverf3) nfs3.CREATE3res {
	c.t.Helper()
	res, err := c.verbs().Create(dir, name, client.Exclusive(verf))
	return done(c, res, err)
}

// Mkdir calls MKDIR.
func (c *Client) Mkdir(dir FH, name string, s nfs3.Sattr3) nfs3.MKDIR3res {
	c.t.Helper()
	res, err := c.verbs().Mkdir(dir, name, s)
	return done(c, res, err)
}

// Symlink calls SYMLINK.
func (c *Client) Symlink(dir FH, name, target string) nfs3.SYMLINK3res {
	c.t.Helper()
	res, err := c.verbs().Symlink(dir, name, target, nfs3.Sattr3{})
	return done(c, res, err)
}

// Mknod calls MKNOD. major and minor are for devices.
func (c *Client) Mknod(
	dir FH,
	name string,
	t nfs3.Ftype3,
	major, minor uint32,
	s nfs3.Sattr3,
) nfs3.MKNOD3res {
	c.t.Helper()
	res, err := c.verbs().Mknod(dir, name, client.Node(t, major, minor, s))
	return done(c, res, err)
}

// Remove calls REMOVE.
func (c *Client) Remove(dir FH, name string) nfs3.REMOVE3res {
	c.t.Helper()
	res, err := c.verbs().Remove(dir, name)
	return done(c, res, err)
}

// Rmdir calls RMDIR.
func (c *Client) Rmdir(dir FH, name string) nfs3.RMDIR3res {
	c.t.Helper()
	res, err := c.verbs().Rmdir(dir, name)
	return done(c, res, err)
}

// Rename calls RENAME.
func (c *Client) Rename(from FH, fromName string, to FH, toName string) nfs3.RENAME3res {
	c.t.Helper()
	res, err := c.verbs().Rename(from, fromName, to, toName)
	return done(c, res, err)
}

// Link calls LINK.
func (c *Client) Link(fh, dir FH, name string) nfs3.LINK3res {
	c.t.Helper()
	res, err := c.verbs().Link(fh, dir, name)
	return done(c, res, err)
}

// Readdir calls READDIR.
func (c *Client) Readdir(dir FH, cookie nfs3.Cookie3, verf nfs3.Cookieverf3, count uint32) nfs3.READDIR3res {
	c.t.Helper()
	res, err := c.verbs().Readdir(dir, cookie, verf, count)
	return done(c, res, err)
}

// Readdirplus calls READDIRPLUS.
func (c *Client) Readdirplus(
	dir FH,
	cookie nfs3.Cookie3,
	verf nfs3.Cookieverf3,
	names, most uint32,
) nfs3.READDIRPLUS3res {
	c.t.Helper()
	res, err := c.verbs().Readdirplus(dir, cookie, verf, names, most)
	return done(c, res, err)
}

// Fsstat calls FSSTAT.
func (c *Client) Fsstat(fh FH) nfs3.FSSTAT3res {
	c.t.Helper()
	res, err := c.verbs().Fsstat(fh)
	return done(c, res, err)
}

// Fsinfo calls FSINFO.
func (c *Client) Fsinfo(fh FH) nfs3.FSINFO3res {
	c.t.Helper()
	res, err := c.verbs().Fsinfo(fh)
	return done(c, res, err)
}

// Pathconf calls PATHCONF.
func (c *Client) Pathconf(fh FH) nfs3.PATHCONF3res {
	c.t.Helper()
	res, err := c.verbs().Pathconf(fh)
	return done(c, res, err)
}

// Commit calls COMMIT.
func (c *Client) Commit(fh FH, off uint64, count uint32) nfs3.COMMIT3res {
	c.t.Helper()
	res, err := c.verbs().Commit(fh, off, count)
	return done(c, res, err)
}
