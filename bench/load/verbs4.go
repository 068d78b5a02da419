package load

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/ringnfs/ringnfs/nfs/client"
	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// verbs4 are the verbs by NFS version 4, as a client of its own. It opens files to make them; READs
// and WRITEs are anonymous.
type verbs4 struct {
	*client4.Client
	conn   *client.Conn
	opened uint32 // owners of opens so far
}

// clients counts this process's clients of version 4, so that each has a name of its own.
var clients atomic.Uint64

// newClient4 returns a client whose name no other has.
func newClient4(caller client.Caller, minor uint32, name string) *client4.Client {
	c := client4.New(caller, minor, fmt.Appendf(nil, "%s-%d", name, clients.Add(1)))
	c.Patience = graceMax
	return c
}

func (v *verbs4) establish() error { return advise(v.Establish(client4.Limits{})) }
func (v *verbs4) quit() error      { return v.End() }

func (v *verbs4) null() error {
	return v.conn.Call(nfs4.NFS4_PROGRAM, nfs4.NFS_V4, nfs4.NFSPROC4_NULL, nil, nil)
}

// until lets ctx end waiting for a server.
func (v *verbs4) until(ctx context.Context) (release func()) { return v.Until(ctx) }

// do makes a compound. When the server has forgotten the client, because the client was quiet for
// longer than its lease, the client introduces itself again.
func (v *verbs4) do(ops ...nfs4.NfsArgop4) ([]nfs4.NfsResop4, error) {
	res, err := v.Do(ops...)
	var failed *client4.StatusError
	if errors.As(err, &failed) && client4.Forgotten(failed.Status) {
		if err = v.Establish(client4.Limits{}); err == nil {
			res, err = v.Do(ops...)
		}
	}
	return res, advise(err)
}

func (v *verbs4) getattr(fh []byte) error {
	_, err := v.do(client4.PutFH(fh), client4.GetAttr(nfs4.FATTR4_TYPE))
	return err
}

// numbers returns attributes that are 64-bit numbers. ok is false for a reply without all of them.
func (v *verbs4) numbers(fh []byte, which ...int) (list []uint64, ok bool, err error) {
	res, err := v.do(client4.PutFH(fh), client4.GetAttr(which...))
	if err != nil {
		return nil, false, err
	}
	a := &res[1].Opgetattr.Resok4.ObjAttributes
	if want := client4.Bits(which...); len(a.Attrmask) != len(want) || a.Attrmask[len(want)-1] != want[len(want)-1] {
		return nil, false, nil
	}
	var d xdr.Decoder
	d.Reset(a.AttrVals)
	for range which {
		list = append(list, d.Uint64())
	}
	return list, d.Err() == nil, nil
}

func (v *verbs4) limits(root []byte) (read, write int, err error) {
	list, ok, err := v.numbers(root, nfs4.FATTR4_MAXREAD, nfs4.FATTR4_MAXWRITE)
	if err != nil {
		return 0, 0, err
	}
	if !ok {
		return 0, 0, errors.New("the server does not say how much it reads and writes at once")
	}
	return int(min(list[0], sizeMax)), int(min(list[1], sizeMax)), nil
}

func (v *verbs4) room(root []byte) (free uint64, known bool, err error) {
	list, ok, err := v.numbers(root, nfs4.FATTR4_SPACE_AVAIL)
	if err != nil || !ok {
		return 0, false, err
	}
	return list[0], true, nil
}

// last is the handle that the last operation of a compound, GETFH, has got.
func last(res []nfs4.NfsResop4, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	return cloned(res[len(res)-1].Opgetfh.Resok4.Object), nil
}

// walk returns the handle of a path of the server.
func (v *verbs4) walk(names []string) ([]byte, error) {
	ops := []nfs4.NfsArgop4{client4.PutRootFH()}
	for len(names) > 0 {
		n := min(len(names), 8) // servers bound a compound
		for _, name := range names[:n] {
			ops = append(ops, client4.Lookup(name))
		}
		fh, err := last(v.do(append(ops, client4.GetFH())...))
		if err != nil {
			return nil, err
		}
		if names = names[n:]; len(names) == 0 {
			return fh, nil
		}
		ops = []nfs4.NfsArgop4{client4.PutFH(fh)}
	}
	return last(v.do(append(ops, client4.GetFH())...))
}

func (v *verbs4) mkdir(dir []byte, name string) ([]byte, error) {
	return last(v.do(client4.PutFH(dir), client4.Mkdir(name, 0o755), client4.GetFH()))
}

func (v *verbs4) create(dir []byte, name string) ([]byte, error) {
	fh, id, seqid, err := v.open(dir, name, nfs4.OPEN4_SHARE_ACCESS_WRITE, true)
	if err != nil {
		return nil, err
	}
	_, err = v.do(client4.PutFH(fh), client4.Close(id, seqid+1))
	return fh, err
}

// open opens a file by a new owner. seqid is the last one of that.
func (v *verbs4) open(dir []byte, name string, access uint32, create bool) (
	fh []byte,
	id nfs4.Stateid4,
	seqid uint32,
	err error,
) {
	var res []nfs4.NfsResop4
	for range 2 { // the server may have forgotten the client, whose ID is among the arguments
		v.opened++
		o := client4.Open{
			Client: v.ID, Owner: fmt.Appendf(nil, "control-%d", v.opened), Access: access, Name: name,
			Create: create, Mode: 0o644,
		}
		ops := []nfs4.NfsArgop4{client4.PutFH(dir), o.Op(), client4.GetFH()}
		if res, err = v.Do(ops...); err == nil {
			seqid = uint32(ops[1].Opopen.Seqid)
			break
		}
		var failed *client4.StatusError
		if !errors.As(err, &failed) || !client4.Forgotten(failed.Status) {
			return nil, id, 0, advise(err)
		}
		if err := v.establish(); err != nil {
			return nil, id, 0, err
		}
	}
	if err != nil {
		return nil, id, 0, advise(err)
	}
	ok := &res[1].Opopen.Resok4
	id, fh = ok.Stateid, cloned(res[2].Opgetfh.Resok4.Object)
	if ok.Rflags&nfs4.OPEN4_RESULT_CONFIRM != 0 {
		seqid++
		if res, err = v.do(client4.PutFH(fh), client4.OpenConfirm(id, seqid)); err != nil {
			return nil, id, seqid, err
		}
		id = res[1].OpopenConfirm.Resok4.OpenStateid
	}
	return fh, id, seqid, nil
}

func (v *verbs4) lookup(dir []byte, name string) ([]byte, error) {
	return last(v.do(client4.PutFH(dir), client4.Lookup(name), client4.GetFH()))
}

func (v *verbs4) remove(dir []byte, name string, _ bool) error {
	_, err := v.do(client4.PutFH(dir), client4.Remove(name))
	var status *client4.StatusError
	if errors.As(err, &status) && status.Status == nfs4.NFS4ERR_NOENT {
		return nil
	}
	return err
}

func (v *verbs4) write(fh []byte, off uint64, b []byte) (int, error) {
	res, err := v.do(client4.PutFH(fh), client4.Write(nfs4.Stateid4{}, off, b, nfs4.UNSTABLE4))
	if err != nil {
		return 0, err
	}
	return int(res[1].Opwrite.Resok4.Count), nil
}

func (v *verbs4) commit(fh []byte) error {
	_, err := v.do(client4.PutFH(fh), client4.Commit())
	return err
}

func (v *verbs4) read(fh []byte, off uint64, n uint32) ([]byte, error) {
	res, err := v.do(client4.PutFH(fh), client4.Read(nfs4.Stateid4{}, off, n))
	if err != nil {
		return nil, err
	}
	return res[1].Opread.Resok4.Data, nil
}

func (v *verbs4) readdir(dir []byte, p page) (list []entry, next page, eof bool, err error) {
	var verf nfs4.Verifier4
	binary.BigEndian.PutUint64(verf[:], p.verf)
	res, err := v.do(client4.PutFH(dir),
		client4.ReadDir(p.cookie, verf, listMax, nfs4.FATTR4_TYPE, nfs4.FATTR4_FILEHANDLE))
	if err != nil {
		return nil, p, false, err
	}
	ok := &res[1].Opreaddir.Resok4
	next = page{cookie: p.cookie, verf: binary.BigEndian.Uint64(ok.Cookieverf[:])}
	for _, e := range ok.Reply.Entries {
		next.cookie = uint64(e.Cookie)
		var d xdr.Decoder
		d.Reset(e.Attrs.AttrVals)
		x := entry{name: string(e.Name), directory: nfs4.NfsFtype4(d.Uint32()) == nfs4.NF4DIR}
		x.fh = cloned(d.Opaque(nfs4.NFS4_FHSIZE))
		if d.Err() != nil {
			return nil, p, false, fmt.Errorf("READDIR: attributes of %q: %w", e.Name, d.Err())
		}
		list = append(list, x)
	}
	return list, next, ok.Reply.Eof, nil
}
