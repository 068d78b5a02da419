package v3

import (
	"encoding/binary"
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/export"
	"github.com/ringnfs/ringnfs/nfs/nfs3"
	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// byHand are the procedures whose arguments are decoded by hand. Each function decodes them and
// encodes what it found. Beside it stands the generated type that does the same.
var byHand = map[int]struct {
	hand func(d *xdr.Decoder, a *args)
	gen  func() codec
}{
	nfs3.NFSPROC3_GETATTR: {func(d *xdr.Decoder, a *args) {
		a.opaque(decodeHandle(d))
	}, func() codec { return new(nfs3.GETATTR3args) }},
	nfs3.NFSPROC3_LOOKUP: {func(d *xdr.Decoder, a *args) {
		var x dirop
		x.decode(d)
		a.opaque(x.dir).opaque(x.name)
	}, func() codec { return new(nfs3.LOOKUP3args) }},
	nfs3.NFSPROC3_READ: {func(d *xdr.Decoder, a *args) {
		var x readArgs
		x.decode(d)
		a.opaque(x.fh).u64(x.offset).u32(x.count)
	}, func() codec { return new(nfs3.READ3args) }},
	nfs3.NFSPROC3_WRITE: {func(d *xdr.Decoder, a *args) {
		var x writeArgs
		x.decode(d, nil)
		var data []byte
		for _, b := range x.data {
			data = append(data, b...)
		}
		a.opaque(x.fh).u64(x.offset).u32(x.count, uint32(x.stable)).opaque(data)
	}, func() codec { return new(nfs3.WRITE3args) }},
	nfs3.NFSPROC3_READDIRPLUS: {func(d *xdr.Decoder, a *args) {
		var x dirArgs
		x.decodePlus(d)
		a.opaque(x.fh).u64(x.cookie, x.verf).u32(x.names, x.max)
	}, func() codec { return new(nfs3.READDIRPLUS3args) }},
}

// FuzzArgumentsByHand gives the same bytes, in segments and in one piece, to both codecs.
func FuzzArgumentsByHand(f *testing.F) {
	fh := []byte("a handle of some length")
	all := examples(fh, fh)
	for proc := range byHand {
		f.Add(uint8(proc), all[proc].b, uint8(0))
		f.Add(uint8(proc), all[proc].b, uint8(5))
	}
	f.Add(uint8(nfs3.NFSPROC3_LOOKUP), in(fh, string(make([]byte, 300))).b, uint8(9))
	f.Fuzz(func(t *testing.T, proc uint8, b []byte, segment uint8) {
		c, ok := byHand[int(proc)]
		if !ok {
			return
		}
		var hand, gen xdr.Decoder
		hand.Reset(b)
		if segment > 0 && len(b) > 0 {
			hand.ResetSegments(cut(b, int(segment)))
		}
		gen.Reset(b)
		want := c.gen()
		want.Decode(&gen)
		var got args
		c.hand(&hand, &got)
		require.Equal(
			t,
			gen.Err() != nil,
			hand.Err() != nil,
			"generated: %v, by hand: %v",
			gen.Err(),
			hand.Err(),
		)
		if gen.Err() != nil {
			return
		}
		require.Equal(t, gen.Left(), hand.Left())
		var e xdr.Encoder
		e.Reset(make([]byte, len(b)+64))
		want.Encode(&e)
		require.NoError(t, e.Err())
		require.Equal(t, e.Bytes(), got.b)
	})
}

// encoded returns what a codec writes.
func encoded(t testing.TB, c interface{ Encode(*xdr.Encoder) }) []byte {
	var e xdr.Encoder
	e.Reset(make([]byte, 1<<10))
	c.Encode(&e)
	require.NoError(t, e.Err())
	return e.Bytes()
}

// noisyAttr makes attributes of arbitrary bytes, of a type that exists.
func noisyAttr(b []byte) (a vfs.Attr) {
	var d xdr.Decoder
	d.Reset(append(b, make([]byte, 128)...))
	a.Type = vfs.FileType(d.Uint32()%7 + 1)
	a.Mode, a.Nlink, a.UID, a.GID = d.Uint32(), d.Uint32(), d.Uint32(), d.Uint32()
	a.Size, a.Used, a.FSID, a.FileID = d.Uint64(), d.Uint64(), d.Uint64(), d.Uint64()
	a.Major, a.Minor = d.Uint32(), d.Uint32()
	for _, t := range []*vfs.Time{&a.Atime, &a.Mtime, &a.Ctime} {
		t.Sec, t.Nsec = d.Int64()>>16, d.Uint32()
	}
	return a
}

func FuzzAttributesByHand(f *testing.F) {
	f.Add([]byte{}, true, true)
	f.Add(
		[]byte(
			"\x00\x00\x00\x02some attributes of no great importance, long enough for all the fields there are",
		),
		true,
		false,
	)
	f.Fuzz(func(t *testing.T, b []byte, before, after bool) {
		a := noisyAttr(b)
		a.Mask = vfs.AttrBasic
		buf := make([]byte, 1<<10)
		var e xdr.Encoder

		e.Reset(buf)
		encodeFattr(&e, &a)
		g := attrOf(&a)
		require.Equal(t, encoded(t, &g), e.Bytes())

		e.Reset(buf)
		if !after {
			a.Mask = 0
		}
		encodePostOpAttr(&e, &a)
		p := postOp(&a)
		require.Equal(t, encoded(t, &p), e.Bytes())

		w := vfs.WCC{
			HasBefore: before,
			After:     a,
			Before:    vfs.Before{Size: a.Used, Mtime: a.Atime, Ctime: a.Ctime},
		}
		e.Reset(buf)
		encodeWCC(&e, &w)
		d := wccOf(&w)
		require.Equal(t, encoded(t, &d), e.Bytes())

		for room := range e.Len() {
			e.Reset(buf[:room])
			encodeWCC(&e, &w)
			require.ErrorIs(t, e.Err(), xdr.ErrShort)
		}
	})
}

// FuzzResultsByHand runs the procedures whose results are encoded by hand. It compares the results,
// to the byte, with the generated codec's encoding of the same values.
func FuzzResultsByHand(f *testing.F) {
	for _, st := range []uint8{uint8(vfs.OK), uint8(vfs.NoEnt), uint8(vfs.Stale), uint8(vfs.IsDir), 200} {
		for _, bare := range []bool{false, true} {
			f.Add([]byte("attributes"), st, bare, []byte("content"), uint16(0), uint16(100))
			f.Add([]byte{}, st, bare, []byte{}, uint16(5), uint16(3))
		}
	}
	r, fake := fakeRig(f, export.Options{})
	v := &fake.view
	fh := r.root(0)
	f.Fuzz(func(t *testing.T, noise []byte, st uint8, bare bool, content []byte, off, count uint16) {
		r.t = t
		v.attr = noisyAttr(noise)
		v.attr.Mask = vfs.AttrBasic
		v.st, v.attrSt, v.bare, v.content = vfs.Status(st), vfs.OK, bare, content
		v.entries = nil
		v.fill(len(content) % 20)
		attr := attrOf(&v.attr)
		there := postOp(&v.attr)
		post, wcc := there, nfs3.WccData{}
		if bare || v.st == vfs.Again {
			post = nfs3.PostOpAttr{}
		} else {
			wcc = wccOf(&vfs.WCC{HasBefore: true, Before: vfs.Before{Size: v.attr.Size,
				Mtime: v.attr.Mtime, Ctime: v.attr.Ctime}, After: v.attr})
		}
		made := nfs3.NfsFh3{Data: r.wire(v.made)}
		// A failure gets its attributes from GetAttr, if there is an object.
		failed := there
		if vfs.Status(st) == vfs.Stale || vfs.Status(st) == vfs.BadHandle {
			failed = post
		}
		same := func(proc int, a *args, want codec) {
			t.Helper()
			got := r.raw(proc, a.b)
			var e xdr.Encoder
			e.Reset(make([]byte, len(got)+1024))
			want.Encode(&e)
			require.NoError(t, e.Err())
			require.Equal(t, e.Bytes(), got, "%s", nfs3.NFSV3Names[proc])
		}
		is := func(proc int) nfs3.Nfsstat3 { return status(proc, v.st) }

		same(nfs3.NFSPROC3_GETATTR, on(fh), &nfs3.GETATTR3res{Resok: nfs3.GETATTR3resok{ObjAttributes: attr}})
		same(nfs3.NFSPROC3_LOOKUP, in(fh, "name"), &nfs3.LOOKUP3res{
			Status:  is(nfs3.NFSPROC3_LOOKUP),
			Resok:   nfs3.LOOKUP3resok{Object: made, ObjAttributes: post, DirAttributes: post},
			Resfail: nfs3.LOOKUP3resfail{DirAttributes: failed},
		})
		var data []byte
		if int(off) < len(content) {
			data = content[off:min(len(content), int(off)+int(count))]
		}
		eof := int(off)+len(data) >= len(content)
		if count == 0 && !bare {
			eof = uint64(off) >= v.attr.Size // as the attributes say
		}
		same(nfs3.NFSPROC3_READ, on(fh).u64(uint64(off)).u32(uint32(count)), &nfs3.READ3res{
			Status: is(nfs3.NFSPROC3_READ),
			Resok: nfs3.READ3resok{
				FileAttributes: post,
				Count:          nfs3.Count3(len(data)),
				Eof:            eof,
				Data:           data,
			},
			Resfail: nfs3.READ3resfail{FileAttributes: failed},
		})
		ok := nfs3.WRITE3resok{FileWcc: wcc, Count: nfs3.Count3(len(content)), Committed: nfs3.FILE_SYNC}
		binary.BigEndian.PutUint64(ok.Verf[:], fake.Verifier())
		same(
			nfs3.NFSPROC3_WRITE,
			on(fh).u64(uint64(off)).u32(uint32(len(content)), 0).opaque(content),
			&nfs3.WRITE3res{
				Status: is(nfs3.NFSPROC3_WRITE), Resok: ok, Resfail: nfs3.WRITE3resfail{FileWcc: wcc},
			},
		)
		page := nfs3.READDIRPLUS3resok{DirAttributes: post, Cookieverf: nfs3.Cookieverf3{7: 0x99}}
		if bare { // then the procedure asks for the directory's attributes
			page.DirAttributes = there
		}
		for i := range v.entries {
			d := &v.entries[i]
			e := nfs3.Entryplus3{Fileid: nfs3.Fileid3(d.FileID), Name: d.Name, Cookie: nfs3.Cookie3(d.Cookie)}
			if d.HasEntry {
				e.NameAttributes = postOp(&d.Entry.Attr)
				e.NameHandle = nfs3.PostOpFh3{
					HandleFollows: true,
					Handle:        nfs3.NfsFh3{Data: r.wire(d.Entry.Handle)},
				}
			}
			page.Reply.Entries = append(page.Reply.Entries, e)
		}
		page.Reply.Eof = true
		same(nfs3.NFSPROC3_READDIRPLUS, on(fh).u64(0, 0).u32(math.MaxUint32, 1<<16), &nfs3.READDIRPLUS3res{
			Status: is(
				nfs3.NFSPROC3_READDIRPLUS,
			), Resok: page, Resfail: nfs3.READDIRPLUS3resfail{DirAttributes: failed},
		})
	})
}
