package nfstest

import (
	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
)

// DirEntry is an entry of a directory, Page one reply of READDIR or READDIRPLUS.
type (
	DirEntry = client.DirEntry
	Page     = client.Page
)

// Page reads the entries after cookie by READDIR or, with plus, by READDIRPLUS, in at most count
// bytes.
func (c *Client) Page(dir FH, plus bool, cookie nfs3.Cookie3, verf nfs3.Cookieverf3, count uint32) Page {
	c.t.Helper()
	if plus {
		res := c.Readdirplus(dir, cookie, verf, count, count)
		return client.PagePlusOf(&res)
	}
	res := c.Readdir(dir, cookie, verf, count)
	return client.PageOf(&res)
}

// List reads a whole directory in pages of at most count bytes. It calls between before each
// further page, unless between is nil. Every page must succeed.
func (c *Client) List(dir FH, plus bool, count uint32, between func()) (all []DirEntry) {
	c.t.Helper()
	var cookie nfs3.Cookie3
	var verf nfs3.Cookieverf3
	for {
		p := c.Page(dir, plus, cookie, verf, count)
		if p.Status != nfs3.NFS3_OK {
			c.t.Fatalf("after %d entries: %v", len(all), p.Status)
		}
		all = append(all, p.Entries...)
		if p.EOF {
			return all
		}
		if len(p.Entries) == 0 {
			c.t.Fatalf("after %d entries: neither an entry nor the end", len(all))
		}
		cookie, verf = p.Entries[len(p.Entries)-1].Cookie, p.Verf
		if between != nil {
			between()
		}
	}
}

// Names reads a whole directory and returns the names without "." and "..".
func (c *Client) Names(dir FH) (names []string) {
	c.t.Helper()
	for _, e := range c.List(dir, false, 32<<10, nil) {
		if e.Name != "." && e.Name != ".." {
			names = append(names, e.Name)
		}
	}
	return names
}
