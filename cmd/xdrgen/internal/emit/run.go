package emit

import (
	"fmt"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/lang"
	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// word is a value of fixed size in a run. A run is fields that follow one another and are written
// and read in one piece, with a single check of the room that is left.
type word struct {
	expr  string // the field
	typ   string // its Go type
	s     scalar // how it is written; for an enumeration, its number
	enum  bool
	bytes int // length of fixed opaque data without padding; 0 for a scalar
}

// size returns how many bytes w takes.
func (w *word) size() int {
	switch {
	case w.bytes > 0:
		return (w.bytes + 3) &^ 3
	case w.s.method == "Uint64" || w.s.method == "Int64":
		return 8
	}
	return 4
}

// words appends the words of d to run. It reports false if d's size depends on its value, or if a
// run would gain little.
func words(d *lang.Decl, expr string, run []word) ([]word, bool) {
	base := lang.Base(d)
	if s, ok := scalarOf(d); ok {
		return append(run, word{expr: expr, typ: declType(d), s: s}), true
	}
	if n := lang.Min(base); base.Form == lang.Fixed && base.Type.Kind == lang.Opaque && n > 0 &&
		n <= xdr.RunMax/2 {
		return append(run, word{expr: expr, bytes: int(base.Bound.Uint())}), true
	}
	if base.Form != lang.Plain {
		return nil, false
	}
	switch t := base.Type.Def.(type) {
	case *lang.Enum:
		return append(run, word{expr: expr, typ: declType(d), s: scalars[kindOf(t)], enum: true}), true
	case *lang.Struct:
		ok := !t.Node
		for _, f := range t.Fields {
			if ok {
				run, ok = words(f, expr+"."+goName(f.Name), run)
			}
		}
		return run, ok
	}
	return nil, false
}

// body writes the fields of a structure: runs in one piece, the others one by one.
func body(fields []*lang.Decl, enc, dec *code) {
	var run []word
	var parts []*lang.Decl // of run
	flush := func() {
		if len(run) > 1 {
			enc.encodeRun(run)
			dec.decodeRun(run)
		} else {
			for _, f := range parts {
				enc.encode(f, "v."+goName(f.Name))
				dec.decode(f, "v."+goName(f.Name))
			}
		}
		run, parts = nil, nil
	}
	for _, f := range fields {
		more, ok := words(f, "v."+goName(f.Name), nil)
		if !ok || length(more)+length(run) > xdr.RunMax {
			flush()
		}
		if !ok || length(more) > xdr.RunMax {
			enc.encode(f, "v."+goName(f.Name))
			dec.decode(f, "v."+goName(f.Name))
			continue
		}
		run, parts = append(run, more...), append(parts, f)
	}
	flush()
}

// length returns how many bytes a run takes.
func length(run []word) (n int) {
	for i := range run {
		n += run[i].size()
	}
	return n
}

func (c *code) encodeRun(run []word) {
	c.binary = true
	for _, w := range run {
		if w.enum {
			c.f("if !%s.Valid() {\ne.Fail(xdr.ErrValue)\n}\n", w.expr)
		}
	}
	n, at := length(run), 0
	c.f("if b := e.Reserve(%d); b != nil {\nb := (*[%d]byte)(b)\n", n, n)
	for _, w := range run {
		end := at + w.size()
		switch bits := 8 * w.size(); {
		case w.bytes > 0:
			c.f("copy(b[%d:%d], %s[:])\n", at, at+w.bytes, w.expr)
			if at+w.bytes < end {
				c.f("clear(b[%d:%d])\n", at+w.bytes, end)
			}
		default:
			c.f("binary.BigEndian.PutUint%d(b[%d:%d], %s)\n", bits, at, end, c.bits(&w, bits))
		}
		at = end
	}
	c.f("}\n")
}

// bits returns w as an unsigned integer of so many bits.
func (c *code) bits(w *word, bits int) string {
	unsigned := fmt.Sprintf("uint%d", bits)
	switch {
	case w.s.goType == "bool":
		return "xdr.Word(" + c.plain(w.s, w.expr, w.typ) + ")"
	case w.s.float():
		return c.plain(w.s, w.expr, w.typ)
	case w.typ == unsigned:
		return w.expr
	}
	return unsigned + "(" + w.expr + ")"
}

func (c *code) decodeRun(run []word) {
	c.binary = true
	n, at := length(run), 0
	c.f("{\nb := (*[%d]byte)(d.Run(%d))\n", n, n)
	for _, w := range run {
		end := at + w.size()
		if w.bytes > 0 {
			c.f("copy(%s[:], b[%d:%d])\n", w.expr, at, at+w.bytes)
			at = end
			continue
		}
		bits := 8 * w.size()
		expr := fmt.Sprintf("binary.BigEndian.Uint%d(b[%d:%d])", bits, at, end)
		switch {
		case w.s.goType == "bool":
			expr = c.read(w.s, "d.Truth("+expr+")", w.typ)
		case w.s.float():
			expr = c.read(w.s, expr, w.typ)
		case w.typ != fmt.Sprintf("uint%d", bits):
			expr = w.typ + "(" + expr + ")"
		}
		c.f("%s = %s\n", w.expr, expr)
		if w.enum {
			c.f("if !%s.Valid() {\nd.Fail(xdr.ErrValue)\n}\n", w.expr)
		}
		at = end
	}
	c.f("}\n")
}
