package client

import "github.com/ringnfs/ringnfs/nfs/nfs3"

// DirEntry is an entry of a directory, by READDIR or READDIRPLUS.
type DirEntry struct {
	ID     uint64
	Name   string
	Cookie nfs3.Cookie3
	Attr   nfs3.PostOpAttr // of READDIRPLUS
	Handle nfs3.PostOpFh3  // of READDIRPLUS; a view, like the results
}

// Page is the results of one READDIR or READDIRPLUS.
type Page struct {
	Status  nfs3.Nfsstat3
	Dir     nfs3.PostOpAttr
	Verf    nfs3.Cookieverf3
	Entries []DirEntry
	EOF     bool
}

// PageOf returns the results of READDIR as a Page.
func PageOf(res *nfs3.READDIR3res) Page {
	if res.Status != nfs3.NFS3_OK {
		return Page{Status: res.Status, Dir: res.Resfail.DirAttributes}
	}
	ok := &res.Resok
	p := Page{Dir: ok.DirAttributes, Verf: ok.Cookieverf, EOF: ok.Reply.Eof}
	for _, e := range ok.Reply.Entries {
		p.Entries = append(p.Entries, DirEntry{ID: uint64(e.Fileid), Name: string(e.Name), Cookie: e.Cookie})
	}
	return p
}

// PagePlusOf returns the results of READDIRPLUS as a Page.
func PagePlusOf(res *nfs3.READDIRPLUS3res) Page {
	if res.Status != nfs3.NFS3_OK {
		return Page{Status: res.Status, Dir: res.Resfail.DirAttributes}
	}
	ok := &res.Resok
	p := Page{Dir: ok.DirAttributes, Verf: ok.Cookieverf, EOF: ok.Reply.Eof}
	for _, e := range ok.Reply.Entries {
		p.Entries = append(
			p.Entries,
			DirEntry{uint64(e.Fileid), string(e.Name), e.Cookie, e.NameAttributes, e.NameHandle},
		)
	}
	return p
}
