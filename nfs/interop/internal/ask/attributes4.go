package main

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/ringnfs/ringnfs/nfs/client4"
	"github.com/ringnfs/ringnfs/nfs/nfs4"
)

func ask4Attributes(t *talker) {
	t.file("file", "some content")
	for _, k := range kinds[:2] {
		t.must(create(k.name, k.kind))
	}
	for _, name := range []string{"file", "directory", "link"} {
		for n := range nfs4.FATTR4_XATTR_SUPPORT + 1 {
			x, res := t.question(fmt.Sprint(n, " of a ", name), client4.Lookup(name), client4.GetAttr(n))
			if len(res) < 2 {
				continue
			}
			a := &res[1].Opgetattr.Resok4.ObjAttributes
			var bits uint32
			for _, w := range a.Attrmask {
				bits |= w
			}
			if bits == 0 {
				x.set("value", "absent")
				continue
			}
			x.set("value", "present")
			if !slices.Contains(varying, n) {
				x.set("value.bytes", fmt.Sprintf("%x", []byte(a.AttrVals)))
			}
		}
	}
	t.question("of no number there is", client4.GetAttr(95))
	t.question("of none", client4.GetAttr())
	t.question("of what can only be set", client4.GetAttr(nfs4.FATTR4_TIME_MODIFY_SET))
	for what, a := range map[string]nfs4.Fattr4{
		"the size": size(12), "another size": size(13), "the mode": client4.Mode(0o666), "what can only be set": attribute(nfs4.FATTR4_TIME_MODIFY_SET, 0, 0, 0, 0),
		"no attribute there is": attribute(95, 0, 0, 0, 0), "none": {}, "too few bytes": attribute(nfs4.FATTR4_SIZE, 0, 0, 0, 0),
		"too many bytes": attribute(nfs4.FATTR4_MODE, 0, 0, 1, 0xb6, 0, 0, 0, 0),
	} {
		t.question(what, client4.Lookup("file"), op{Argop: nfs4.OP_VERIFY, Opverify: nfs4.VERIFY4args{ObjAttributes: a}})
		t.question(what, client4.Lookup("file"), op{Argop: nfs4.OP_NVERIFY, Opnverify: nfs4.NVERIFY4args{ObjAttributes: a}})
	}
}

func attribute(n int, value ...byte) nfs4.Fattr4 {
	return nfs4.Fattr4{Attrmask: client4.Bits(n), AttrVals: value}
}

func size(n uint64) nfs4.Fattr4 {
	return attribute(nfs4.FATTR4_SIZE, binary.BigEndian.AppendUint64(nil, n)...)
}

func words(ns ...uint32) (b []byte) {
	for _, n := range ns {
		b = binary.BigEndian.AppendUint32(b, n)
	}
	return b
}

func text(s string) []byte {
	b := append(words(uint32(len(s))), s...)
	return append(b, make([]byte, -len(s)&3)...)
}

func ask4SetAttributes(t *talker) {
	t.file("file", "some content")
	t.must(create("directory", nfs4.NF4DIR))
	t.must(create("link", nfs4.NF4LNK))
	for _, s := range []struct {
		what string
		a    nfs4.Fattr4
	}{
		{"nothing", nfs4.Fattr4{}}, {"the mode", client4.Mode(0o600)}, {"a mode with a bit too many", client4.Mode(0o10600)},
		{"the size", size(100)}, {"the greatest size", size(1<<64 - 1)}, {"size 2^63-1", size(1<<63 - 1)},
		{"an owner by number", attribute(nfs4.FATTR4_OWNER, text("123")...)}, {"an empty owner", attribute(nfs4.FATTR4_OWNER, text("")...)},
		{"an unknown owner", attribute(nfs4.FATTR4_OWNER, text("no-such-user@nowhere")...)},
		{"a group by number", attribute(nfs4.FATTR4_OWNER_GROUP, text("321")...)},
		{"the time of the server", attribute(nfs4.FATTR4_TIME_MODIFY_SET, words(0)...)},
		{"a time", attribute(nfs4.FATTR4_TIME_MODIFY_SET, words(1, 0, 1000, 5)...)},
		{"a time with 10^9 nanoseconds", attribute(nfs4.FATTR4_TIME_MODIFY_SET, words(1, 0, 1000, 1e9)...)},
		{"a time before 1970", attribute(nfs4.FATTR4_TIME_ACCESS_SET, words(1, 1<<32-1, 1<<32-1000, 5)...)},
		{"the type", attribute(nfs4.FATTR4_TYPE, words(1)...)}, {"the modification time that is read", attribute(nfs4.FATTR4_TIME_MODIFY, words(0, 1, 2)...)},
		{"no attribute there is", attribute(95, words(0)...)}, {"too few bytes", attribute(nfs4.FATTR4_SIZE, words(0)...)},
		{"too many bytes", attribute(nfs4.FATTR4_MODE, words(0o644, 0)...)},
	} {
		for _, name := range []string{"file", "directory", "link"} {
			x, _ := t.question(s.what+" of a "+name, client4.Lookup(name), setattr(anonymous, s.a))
			res, st, _ := t.do(client4.Lookup(name), client4.GetAttr(nfs4.FATTR4_MODE, nfs4.FATTR4_OWNER, nfs4.FATTR4_OWNER_GROUP))
			if st == nfs4.NFS4_OK {
				x.set("then", fmt.Sprintf("%x", []byte(res[1].Opgetattr.Resok4.ObjAttributes.AttrVals)))
			}
		}
	}
}
