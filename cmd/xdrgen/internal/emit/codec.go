package emit

import (
	"fmt"
	"strings"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/lang"
)

// code is the body of an Encode or Decode method while it is being written.
type code struct {
	strings.Builder
	math, binary bool // the body uses these packages
}

func (c *code) f(format string, args ...any) { fmt.Fprintf(c, format, args...) }

// plain returns expr, a value of Go type typ, converted for the scalar's methods.
func (c *code) plain(s scalar, expr, typ string) string {
	if typ != s.goType {
		expr = s.goType + "(" + expr + ")"
	}
	if s.float() {
		c.math = true
		expr = fmt.Sprintf("math.Float%sbits(%s)", s.goType[5:], expr)
	}
	return expr
}

// read returns the expression that makes a value of Go type typ of the result of the scalar's
// methods.
func (c *code) read(s scalar, expr, typ string) string {
	if s.float() {
		c.math = true
		expr = fmt.Sprintf("math.Float%sfrombits(%s)", s.goType[5:], expr)
	}
	if typ != s.goType {
		expr = typ + "(" + expr + ")"
	}
	return expr
}

// bound returns the most elements that d may have, for the Decoder.
func bound(d *lang.Decl) string {
	if d.Bound == nil {
		return "1<<32 - 1"
	}
	return text(d.Bound)
}

// length writes the check of d's bound before expr is encoded.
func (c *code) length(d *lang.Decl, expr string) {
	if d.Bound != nil {
		c.f("if len(%s) > %s {\ne.Fail(xdr.ErrTooLong)\n}\n", expr, text(d.Bound))
	}
}

// element returns the declaration of one element of d.
func element(d *lang.Decl) *lang.Decl { return &lang.Decl{Type: d.Type} }

func (c *code) encode(d *lang.Decl, expr string) {
	bytes := d.Type.Kind == lang.Opaque || d.Type.Kind == lang.String
	switch d.Form {
	case lang.Void:
	case lang.Plain:
		if s, ok := scalarOf(d); ok {
			c.f("e.%s(%s)\n", s.method, c.plain(s, expr, declType(d)))
		} else if inPlace(d) {
			c.encode(lang.Base(d), expr)
		} else {
			c.f("%s.Encode(e)\n", expr)
		}
	case lang.Fixed:
		if bytes {
			c.f("e.Fixed(%s[:])\n", expr)
			return
		}
		c.f("for i := range %s {\n", expr)
		c.encode(element(d), expr+"[i]")
		c.f("}\n")
	case lang.Variable:
		c.length(d, expr)
		if bytes {
			c.f("e.Opaque(%s)\n", expr)
			return
		}
		c.f("e.Uint32(uint32(len(%s)))\nfor i := range %s {\n", expr, expr)
		c.encode(element(d), expr+"[i]")
		c.f("}\n")
	case lang.List:
		c.f("for i := range %s {\ne.Bool(true)\n", expr)
		c.encode(element(d), expr+"[i]")
		c.f("}\ne.Bool(false)\n")
	case lang.Optional:
		c.f("e.Bool(%s != nil)\nif %s != nil {\n", expr, expr)
		c.encode(element(d), target(d, expr))
		c.f("}\n")
	}
}

// inPlace reports whether a value of a typedef's type is written and read without a call. This is
// so for pointers, whose types have no methods, and for bytes of variable length, where a call
// costs more than the rest.
func inPlace(d *lang.Decl) bool {
	base := lang.Base(d)
	bytes := base.Type.Kind == lang.Opaque || base.Type.Kind == lang.String
	return base.Form == lang.Optional ||
		base.Form == lang.Variable && bytes && (base.Bound == nil || !foreign(d))
}

// foreign reports whether d gets its type by way of a typedef of another source, whose constants
// have other names here.
func foreign(d *lang.Decl) bool {
	for d.Form == lang.Plain {
		t, ok := d.Type.Def.(*lang.Typedef)
		if !ok {
			break
		}
		if t.From != nil {
			return true
		}
		d = t.Decl
	}
	return false
}

// target returns what the pointer expr points to, for places where Go does not follow the pointer
// itself. For methods it does.
func target(d *lang.Decl, expr string) string {
	if _, ok := scalarOf(element(d)); ok {
		return "*" + expr
	}
	if inPlace(element(d)) {
		return "(*" + expr + ")"
	}
	return expr
}

func (c *code) decode(d *lang.Decl, expr string) {
	bytes := d.Type.Kind == lang.Opaque || d.Type.Kind == lang.String
	switch d.Form {
	case lang.Void:
	case lang.Plain:
		if s, ok := scalarOf(d); ok {
			c.f("%s = %s\n", expr, c.read(s, "d."+s.method+"()", declType(d)))
		} else if inPlace(d) {
			c.decode(lang.Base(d), expr)
		} else {
			c.f("%s.Decode(d)\n", expr)
		}
	case lang.Fixed:
		if bytes {
			// If the record is short, the array must keep nothing of its last use.
			c.f("clear(%s[:])\ncopy(%s[:], d.Fixed(len(%s)))\n", expr, expr, expr)
			return
		}
		c.f("for i := range %s {\n", expr)
		c.decode(element(d), expr+"[i]")
		c.f("}\n")
	case lang.Variable:
		if bytes {
			if d.Keep != nil {
				c.f("%s = d.Clipped(%s)\n", expr, d.Keep.Text)
			} else {
				c.f("%s = d.Opaque(%s)\n", expr, bound(d))
			}
			return
		}
		if d.Keep != nil {
			size := lang.ElementMin(d)
			c.f("%s = %s[:0]\nn := d.Count(1<<32 - 1, %d)\n", expr, expr, size)
			c.f("for ; n > 0 && len(%s) <= %s; n-- {\n%s = xdr.Extend(%s)\n", expr, d.Keep.Text, expr, expr)
			c.decode(element(d), fmt.Sprintf("%s[len(%s)-1]", expr, expr))
			c.f("}\nd.Skip(%d * n)\n", size)
			return
		}
		c.f("%s = %s[:0]\nfor n := d.Count(%s, %d); n > 0 && d.Err() == nil; n-- {\n",
			expr, expr, bound(d), lang.ElementMin(d))
		c.f("%s = xdr.Extend(%s)\n", expr, expr)
		c.decode(element(d), fmt.Sprintf("%s[len(%s)-1]", expr, expr))
		c.f("}\n")
	case lang.List:
		c.f("%s = %s[:0]\nfor d.More(%d) {\n", expr, expr, lang.ElementMin(d))
		c.f("%s = xdr.Extend(%s)\n", expr, expr)
		c.decode(element(d), fmt.Sprintf("%s[len(%s)-1]", expr, expr))
		c.f("}\n")
	case lang.Optional:
		c.f(
			"if !d.Bool() {\n%s = nil\n} else {\nif %s == nil {\n%s = new(%s)\n}\n",
			expr,
			expr,
			expr,
			typeName(&d.Type),
		)
		c.decode(element(d), target(d, expr))
		c.f("}\n")
	}
}

// zero writes the assignment of the zero value to a field of d.
func (c *code) zero(d *lang.Decl, expr string) {
	typ := declType(d)
	s, isScalar := scalarOf(d)
	base := lang.Base(d)
	_, isEnum := base.Type.Def.(*lang.Enum)
	switch {
	case isScalar && s.goType == "bool":
		c.f("%s = false\n", expr)
	case isScalar, isEnum && base.Form == lang.Plain:
		c.f("%s = 0\n", expr)
	case base.Form == lang.Variable, base.Form == lang.List, base.Form == lang.Optional:
		c.f("%s = nil\n", expr)
	default:
		c.f("%s = %s{}\n", expr, typ)
	}
}
