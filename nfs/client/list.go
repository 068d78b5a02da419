package client

import "github.com/ringnfs/ringnfs/nfs/nfs3"

// DirEntry is an entry of a directory, by READDIR or READDIRPLUS.
type DirEntry struct {
	ID     uint64
	Name   string
	Cookie nfs3.Cookie3
	Attr   nfs3.PostOpAttr // of READDIRPLUS
	Handle nfs3.PostOpFh3  // of READDIRPLUS; a view, as the results are
}

// Page is what one READDIR or READDIRPLUS says.
type Page struct {
	Status  nfs3.Nfsstat3
	Dir     nfs3.PostOpAttr
	Verf    nfs3.Cookieverf3
	Entries []DirEntry
	EOF     bool
}

// PageOf is the page that the results of READDIR are.
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

// PagePlusOf is the page that the results of READDIRPLUS are.
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
