package emit

import (
	"fmt"
	"go/constant"
	"strings"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/lang"
)

func (w *writer) enum(e *lang.Enum) {
	name := w.declare(&e.Head, goName(e.Name))
	of := scalars[kindOf(e)]
	base, method := of.goType, of.method
	w.doc(&e.Head, name)
	w.f("type %s %s\n", name, base)
	w.f("\n// The values of %s.\nconst (\n", name)
	for _, c := range e.Items {
		w.declare(&c.Head, c.Name)
		w.part(&c.Head)
		w.f("%s %s = %s", c.Name, name, text(&c.Value))
		w.tail(&c.Head)
	}
	w.f(")\n")

	first, dense := distinct(e)
	w.f("\n// Valid reports whether v is a value of %s.\nfunc (v %s) Valid() bool {\n", name, name)
	if lo, hi := first[0], first[len(first)-1]; dense {
		if constant.Sign(lo.Value.Num) == 0 && base == "uint32" {
			w.f("return v <= %s\n}\n", hi.Name)
		} else {
			w.f("return v >= %s && v <= %s\n}\n", lo.Name, hi.Name)
		}
	} else {
		w.f("switch v {\ncase ")
		for i, c := range first {
			if i > 0 {
				w.f(",\n")
			}
			w.f("%s", c.Name)
		}
		w.f(":\nreturn true\n}\nreturn false\n}\n")
	}
	w.uses.strconv = true
	w.f("\n// String returns the name of v.\nfunc (v %s) String() string {\nswitch v {\n", name)
	for _, c := range first {
		w.f("case %s:\nreturn %q\n", c.Name, c.Name)
	}
	w.f("}\nreturn \"%s(\" + strconv.FormatInt(int64(v), 10) + \")\"\n}\n", e.Name)

	w.uses.xdr = true
	w.encoder(
		name,
		"v %s",
		fmt.Sprintf("if !v.Valid() {\ne.Fail(xdr.ErrValue)\n}\ne.%s(%s(v))\n", method, base),
	)
	w.decoder(name, fmt.Sprintf("*v = %s(d.%s())\nif !v.Valid() {\nd.Fail(xdr.ErrValue)\n}\n", name, method))
}

// distinct returns one enumerator for each value, and whether they are in
// ascending order without a gap.
func distinct(e *lang.Enum) (first []*lang.Const, dense bool) {
	seen := map[string]bool{}
	dense = true
	for _, c := range e.Items {
		if key := c.Value.Num.ExactString(); !seen[key] {
			seen[key] = true
			first = append(first, c)
		}
	}
	for i := 1; i < len(first); i++ {
		a, _ := constant.Int64Val(first[i-1].Value.Num)
		b, _ := constant.Int64Val(first[i].Value.Num)
		dense = dense && b == a+1
	}
	return first, dense
}

func (w *writer) encoder(name, receiver, body string) {
	w.uses.xdr = true
	w.f("\n// Encode writes v to e.\nfunc ("+receiver+") Encode(e *xdr.Encoder) {\n", name)
	w.f("%s}\n", body)
}

// used notes the packages that the bodies of a type's methods use.
func (w *writer) used(bodies ...*code) {
	for _, c := range bodies {
		w.uses.math = w.uses.math || c.math
		w.uses.binary = w.uses.binary || c.binary
	}
}

func (w *writer) decoder(name, body string) {
	w.uses.xdr = true
	w.f("\n// Decode reads v from d.\nfunc (v *%s) Decode(d *xdr.Decoder) {\n%s}\n", name, body)
}

// field writes the line of a field. others are the fields before it.
func (w *writer) field(d *lang.Decl, others map[string]bool) {
	if d.Form == lang.Void {
		return
	}
	name := goName(d.Name)
	if (name == "" || others[name] || name == "Encode" || name == "Decode") && w.err == nil {
		w.err = &lang.Error{
			File: w.file,
			Pos:  d.Pos,
			Text: fmt.Sprintf("field %s cannot be %q in Go", d.Name, name),
		}
	}
	others[name] = true
	w.part(&d.Head)
	w.f("%s %s", name, declType(d))
	w.tail(&d.Head)
}

func (w *writer) structure(s *lang.Struct) {
	name := w.declare(&s.Head, goName(s.Name))
	w.doc(&s.Head, name)
	w.f("type %s struct {\n", name)
	others := map[string]bool{}
	var enc, dec code
	for _, f := range s.Fields {
		w.field(f, others)
	}
	body(s.Fields, &enc, &dec)
	w.f("}\n")
	w.used(&enc, &dec)
	w.encoder(name, "v *%s", enc.String())
	w.decoder(name, dec.String())
}

func (w *writer) union(u *lang.Union) {
	name := w.declare(&u.Head, goName(u.Name))
	w.doc(&u.Head, name)
	w.f("type %s struct {\n", name)
	others := map[string]bool{}
	w.field(u.Tag, others)
	var arms []*lang.Decl
	for _, a := range u.Arms {
		arms = append(arms, a.Decl)
	}
	if u.Default != nil {
		arms = append(arms, u.Default)
	}
	for _, d := range arms {
		w.field(d, others)
	}
	w.f("}\n")

	tag := "v." + goName(u.Tag.Name)
	var enc, dec code
	enc.encode(u.Tag, tag)
	dec.decode(u.Tag, tag)
	// What the arm in use does not overwrite must not survive from the last use of v.
	unused := func(used *lang.Decl) {
		if len(arms) > wide {
			kept := tag
			held := "n"
			if used != nil && used.Form != lang.Void {
				kept += ", v." + goName(used.Name)
				held += ", b"
			}
			dec.f("%s := %s\n*v = %s{}\n%s = %s\n", held, kept, name, kept, held)
			return
		}
		for _, d := range arms {
			if d != used && d.Form != lang.Void {
				dec.zero(d, "v."+goName(d.Name))
			}
		}
	}
	arm := func(d *lang.Decl) {
		unused(d)
		if d.Form != lang.Void {
			enc.encode(d, "v."+goName(d.Name))
			dec.decode(d, "v."+goName(d.Name))
		}
	}
	enc.f("switch %s {\n", tag)
	dec.f("switch %s {\n", tag)
	cases := 0
	for _, a := range u.Arms {
		var names []string
		for _, v := range a.Cases {
			names = append(names, caseName(u.Tag, &v))
		}
		cases += len(names)
		label := strings.Join(names, ", ")
		enc.f("case %s:\n", label)
		dec.f("case %s:\n", label)
		arm(a.Decl)
	}
	switch {
	case u.Default != nil:
		enc.f("default:\n")
		dec.f("default:\n")
		arm(u.Default)
	case lang.Base(u.Tag).Type.Kind == lang.Bool && cases == 2:
	default:
		enc.f("default:\ne.Fail(xdr.ErrValue)\n")
		dec.f("default:\n")
		unused(nil)
		dec.f("d.Fail(xdr.ErrValue)\n")
	}
	enc.f("}\n")
	dec.f("}\n")
	w.used(&enc, &dec)
	w.encoder(name, "v *%s", enc.String())
	w.decoder(name, dec.String())
}

// wide is a number of arms. A union with more of them is zeroed as a whole, and what is in use is
// put back: one line for each other arm in each arm would be long.
const wide = 8

// caseName writes a case of a union with this tag. It spells a boolean in Go's way, and converts an
// enumerator that is not of the tag's own type.
func caseName(tag *lang.Decl, v *lang.Value) string {
	base := lang.Base(tag)
	switch {
	case base.Type.Kind == lang.Bool && constant.Sign(v.Num) == 0:
		return "false"
	case base.Type.Kind == lang.Bool:
		return "true"
	case v.Text == "TRUE" || v.Text == "FALSE":
		return v.Num.ExactString()
	case v.Of != nil && lang.Def(v.Of) != base.Type.Def:
		return declType(tag) + "(" + text(v) + ")"
	}
	return text(v)
}

// typedef writes a defined type, or an alias if the name stands for a type that has methods of its
// own.
func (w *writer) typedef(t *lang.Typedef) {
	if builtin(t) != "" {
		return
	}
	name := w.declare(&t.Head, goName(t.Name))
	w.doc(&t.Head, name)
	base := lang.Base(t.Decl)
	if base.Form == lang.Plain && base.Type.Kind == lang.Named {
		w.f("type %s = %s\n", name, typeName(&t.Decl.Type))
		return
	}
	if base.Form == lang.Optional { // in Go pointer types have no methods
		w.f("type %s = %s\n", name, declType(base))
		return
	}
	w.f("type %s %s", name, declType(base))
	w.tail(&t.Head)
	var enc, dec code
	if s, ok := scalarOf(t.Decl); ok {
		enc.f("e.%s(%s)\n", s.method, enc.plain(s, "v", name))
		dec.f("*v = %s\n", dec.read(s, "d."+s.method+"()", name))
		w.encoder(name, "v %s", enc.String())
		w.decoder(name, dec.String())
	} else {
		// Go follows a pointer to an array itself, but not one to a slice.
		v := "v"
		if base.Form != lang.Fixed {
			v = "(*v)"
		}
		enc.encode(base, v)
		dec.decode(base, v)
		tidy := strings.NewReplacer("((*v))", "(*v)", "\n(*v) =", "\n*v =")
		w.encoder(name, "v *%s", tidy.Replace("\n" + enc.String())[1:])
		w.decoder(name, tidy.Replace("\n" + dec.String())[1:])
	}
	w.used(&enc, &dec)
}
