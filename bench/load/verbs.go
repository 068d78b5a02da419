package load

import (
	"encoding/binary"
	"errors"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// verbs are what a control connection does with files, in one version of NFS. Handles and names are
// borrowed. Handles that are returned are the caller's, data is a view that is valid until the next
// call. Errors say what to do.
type verbs interface {
	// establish readies the connection for the others, quit undoes that.
	establish() error
	quit() error
	null() error
	getattr(fh []byte) error
	// limits returns the largest READ and WRITE of the server.
	limits(root []byte) (read, write int, err error)
	// room returns how many bytes the caller may still write, if the server tells.
	room(root []byte) (free uint64, known bool, err error)
	mkdir(dir []byte, name string) (fh []byte, err error)
	// create makes an empty file, or takes the one that there is.
	create(dir []byte, name string) (fh []byte, err error)
	lookup(dir []byte, name string) (fh []byte, err error)
	// remove removes a file or a directory. If it does not exist, remove succeeds.
	remove(dir []byte, name string, directory bool) error
	write(fh []byte, off uint64, b []byte) (n int, err error)
	commit(fh []byte) error
	read(fh []byte, off uint64, n uint32) (data []byte, err error)
	// readdir reads one page of a directory, and reports whether the page was the last one.
	readdir(dir []byte, p page) (list []entry, next page, eof bool, err error)
}

// verbs3 are the verbs by NFS version 3.
type verbs3 struct{ client.NFS }

func handle3(fh []byte) nfs3.NfsFh3 { return nfs3.NfsFh3{Data: fh} }

func cloned(fh []byte) []byte { return append([]byte(nil), fh...) }

func (verbs3) establish() error { return nil }
func (verbs3) quit() error      { return nil }

func (v verbs3) null() error { return v.Null() }

func (v verbs3) getattr(fh []byte) error {
	_, err := v.Getattr(handle3(fh))
	return advise(err)
}

func (v verbs3) limits(root []byte) (read, write int, err error) {
	res, err := v.Fsinfo(handle3(root))
	if err != nil {
		return 0, 0, advise(err)
	}
	return int(res.Resok.Rtmax), int(res.Resok.Wtmax), nil
}

func (v verbs3) room(root []byte) (free uint64, known bool, err error) {
	res, err := v.Fsstat(handle3(root))
	var (
		status *client.StatusError
		no     *client.Refused
	)
	switch {
	case errors.As(err, &status),
		errors.As(err, &no),
		errors.Is(err, xdr.ErrShort),
		err == nil && res.Resok.Tbytes == 0:
		return 0, false, nil
	case err != nil:
		return 0, false, err
	}
	return uint64(res.Resok.Abytes), true, nil
}

func (v verbs3) mkdir(dir []byte, name string) ([]byte, error) {
	res, err := v.Mkdir(handle3(dir), name, client.Mode(0o755))
	return v.made(dir, name, res.Resok.Obj, err)
}

func (v verbs3) create(dir []byte, name string) ([]byte, error) {
	res, err := v.Create(handle3(dir), name, client.How(nfs3.UNCHECKED, client.Mode(0o644)))
	return v.made(dir, name, res.Resok.Obj, err)
}

// made returns the handle of the object that a call has made, unless the call has failed.
func (v verbs3) made(dir []byte, name string, fh nfs3.PostOpFh3, err error) ([]byte, error) {
	if err != nil {
		return nil, advise(err)
	}
	if !fh.HandleFollows {
		return v.lookup(dir, name)
	}
	return cloned(fh.Handle.Data), nil
}

func (v verbs3) lookup(dir []byte, name string) ([]byte, error) {
	res, err := v.Lookup(handle3(dir), name)
	if err != nil {
		return nil, advise(err)
	}
	return cloned(res.Resok.Object.Data), nil
}

func (v verbs3) remove(dir []byte, name string, directory bool) error {
	var err error
	if directory {
		_, err = v.Rmdir(handle3(dir), name)
	} else {
		_, err = v.Remove(handle3(dir), name)
	}
	var status *client.StatusError
	if errors.As(err, &status) && status.Status == nfs3.NFS3ERR_NOENT {
		return nil
	}
	return advise(err)
}

func (v verbs3) write(fh []byte, off uint64, b []byte) (int, error) {
	res, err := v.Write(handle3(fh), off, b, nfs3.UNSTABLE)
	return int(res.Resok.Count), advise(err)
}

func (v verbs3) commit(fh []byte) error {
	_, err := v.Commit(handle3(fh), 0, 0)
	return advise(err)
}

func (v verbs3) read(fh []byte, off uint64, n uint32) ([]byte, error) {
	res, err := v.Read(handle3(fh), off, n)
	return res.Resok.Data, advise(err)
}

func (v verbs3) readdir(dir []byte, p page) (list []entry, next page, eof bool, err error) {
	var verf nfs3.Cookieverf3
	binary.BigEndian.PutUint64(verf[:], p.verf)
	res, err := v.Readdirplus(handle3(dir), nfs3.Cookie3(p.cookie), verf, listNames, listMax)
	if err != nil {
		return nil, p, false, advise(err)
	}
	next = page{cookie: p.cookie, verf: binary.BigEndian.Uint64(res.Resok.Cookieverf[:])}
	for _, e := range res.Resok.Reply.Entries {
		next.cookie = uint64(e.Cookie)
		x := entry{
			name:      string(e.Name),
			directory: e.NameAttributes.AttributesFollow && e.NameAttributes.Attributes.Type == nfs3.NF3DIR,
		}
		if e.NameHandle.HandleFollows {
			x.fh = cloned(e.NameHandle.Handle.Data)
		}
		list = append(list, x)
	}
	return list, next, res.Resok.Reply.Eof, nil
}
