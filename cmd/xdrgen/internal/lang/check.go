package lang

import (
	"fmt"
	"go/constant"
	"math"
)

// check resolves names and evaluates values. It refuses definitions without a meaning, and nesting
// without a bound.
func check(f *File) {
	c := &checker{f: f, values: map[string]*Const{}, types: map[string]Def{}, depths: map[Def]int{}}
	c.declare()
	for _, d := range f.Defs {
		c.numbers(d)
	}
	for _, d := range f.Defs {
		for _, decl := range Decls(d) {
			c.declaration(decl)
		}
		if p, ok := d.(*Program); ok {
			c.program(p)
		}
	}
	c.lists()
	for _, d := range f.Defs {
		if u, ok := d.(*Union); ok {
			c.union(u)
		}
	}
	for _, d := range f.Defs {
		c.depth(d)
	}
	for _, d := range f.Defs {
		c.sizes(d)
	}
}

// Decls returns the declarations that a type consists of.
func Decls(d Def) []*Decl {
	switch d := d.(type) {
	case *Struct:
		return d.Fields
	case *Typedef:
		return []*Decl{d.Decl}
	case *Union:
		decls := []*Decl{d.Tag}
		for _, a := range d.Arms {
			decls = append(decls, a.Decl)
		}
		if d.Default != nil {
			decls = append(decls, d.Default)
		}
		return decls
	}
	return nil
}

type checker struct {
	f      *File
	values map[string]*Const
	types  map[string]Def
	depths map[Def]int
}

func (c *checker) failf(at Pos, format string, args ...any) {
	panic(&Error{File: c.f.Name, Pos: at, Text: fmt.Sprintf(format, args...)})
}

// declare collects the names. TRUE and FALSE are those of RFC 4506, section 4.4.
func (c *checker) declare() {
	for i, name := range []string{"FALSE", "TRUE"} {
		c.values[name] = &Const{Head: Head{Name: name}, Value: Value{Num: constant.MakeInt64(int64(i))}}
	}
	value := func(k *Const) {
		if c.values[k.Name] != nil || c.types[k.Name] != nil {
			c.failf(k.Pos, "%s is defined twice", k.Name)
		}
		c.values[k.Name] = k
	}
	for _, i := range c.f.Includes {
		c.include(i)
	}
	for _, d := range c.f.Defs {
		switch d := d.(type) {
		case *Const:
			value(d)
			continue
		case *Program:
			continue
		case *Enum:
			for _, k := range d.Items {
				value(k)
			}
		}
		h := d.Header()
		if c.values[h.Name] != nil || c.types[h.Name] != nil {
			c.failf(h.Pos, "%s is defined twice", h.Name)
		}
		c.types[h.Name] = d
	}
}

// include makes the definitions of another source known.
func (c *checker) include(i *Include) {
	for _, d := range i.file.Defs {
		h := d.Header()
		h.From = i
		switch d := d.(type) {
		case *Const:
			c.values[h.Name] = d
			continue
		case *Program:
			continue
		case *Enum:
			for _, k := range d.Items {
				k.From = i
				c.values[k.Name] = k
			}
		}
		c.types[h.Name] = d
	}
}

// numbers evaluates the constants of d.
func (c *checker) numbers(d Def) {
	switch d := d.(type) {
	case *Const:
		c.literal(&d.Value)
	case *Enum:
		for _, k := range d.Items {
			c.literal(&k.Value)
			n, exact := constant.Int64Val(k.Value.Num)
			if !exact || n < math.MinInt32 || n > math.MaxInt32 {
				c.failf(k.Pos, "%s is not a 32-bit integer", k.Name)
			}
		}
	}
}

// evaluate fills in v.Num. If a chain of names is longer than the number of names, it is a loop.
func (c *checker) evaluate(v *Value, depth int) {
	if v.Num != nil {
		return
	}
	k := c.values[v.Text]
	if k == nil {
		c.failf(v.Pos, "%s is not defined", v.Text)
	}
	if depth > len(c.values) {
		c.failf(v.Pos, "%s is defined by itself", v.Text)
	}
	c.evaluate(&k.Value, depth+1)
	v.Num, v.From = k.Value.Num, k.From
}

// literal replaces the name of an enumerator or a boolean by its number, because in Go these have
// types of their own and do not serve as numbers.
func (c *checker) literal(v *Value) {
	c.evaluate(v, 0)
	if k := c.values[v.Text]; k != nil && (k.Of != nil || k.Pos == Pos{}) {
		v.Text, v.From = v.Num.ExactString(), nil
	}
}

// unsigned evaluates v, which must be below 2^32.
func (c *checker) unsigned(v *Value) {
	c.literal(v)
	if n, exact := constant.Uint64Val(v.Num); !exact || n > math.MaxUint32 {
		c.failf(v.Pos, "%s is not an unsigned 32-bit integer", v.Text)
	}
}

func (c *checker) resolve(t *Type) {
	if t.Kind != Named {
		return
	}
	if t.Def = c.types[t.Name]; t.Def == nil {
		c.failf(t.Pos, "type %s is not defined", t.Name)
	}
}

func (c *checker) declaration(d *Decl) {
	if d.Form == Void {
		return
	}
	c.resolve(&d.Type)
	if d.Bound != nil {
		c.unsigned(d.Bound)
		if d.Form == Fixed && d.Bound.Uint() > fixedMax {
			c.failf(d.Pos, "a fixed array of %s is too large", d.Bound.Text)
		}
	}
}

// fixedMax bounds the lengths of fixed arrays, whose memory is in the type.
const fixedMax = 1 << 16

func (c *checker) program(p *Program) {
	c.unsigned(&p.Number)
	for _, v := range p.Versions {
		c.unsigned(&v.Number)
		seen := map[uint64]bool{}
		for _, r := range v.Procedures {
			c.unsigned(&r.Number)
			if n := r.Number.Uint(); seen[n] || n > procedureMax {
				c.failf(r.Pos, "procedure number %s is taken or too large", r.Number.Text)
			}
			seen[r.Number.Uint()] = true
			if r.Result.Kind != None {
				c.resolve(&r.Result)
			}
			for i := range r.Arguments {
				c.resolve(&r.Arguments[i])
			}
		}
	}
}

// procedureMax bounds procedure numbers, which index a table.
const procedureMax = 1 << 10

// lists finds linked lists: structures whose last field points to the next one, directly or through
// a typedef. It turns such pointers into the form List.
func (c *checker) lists() {
	for _, d := range c.f.Defs {
		s, ok := d.(*Struct)
		if !ok {
			continue
		}
		if last := s.Fields[len(s.Fields)-1]; pointsTo(last) == s {
			s.Node = true
			s.Fields = s.Fields[:len(s.Fields)-1]
		}
	}
	for _, d := range c.f.Defs {
		for _, decl := range Decls(d) {
			if decl.Form == Void {
				continue
			}
			s, ok := decl.Type.Def.(*Struct)
			if !ok || !s.Node {
				continue
			}
			if decl.Form != Optional {
				c.failf(decl.Pos, "%s is an element of a list and needs a pointer", s.Name)
			}
			decl.Form = List
		}
	}
}

// pointsTo returns the structure that d points to, else nil.
func pointsTo(d *Decl) *Struct {
	if t, ok := d.Type.Def.(*Typedef); ok && d.Form == Plain {
		d = t.Decl
	}
	if d.Form != Optional {
		return nil
	}
	s, _ := d.Type.Def.(*Struct)
	return s
}

// Base follows plain typedefs to a declaration that is not a plain typedef.
func Base(d *Decl) *Decl {
	for d.Form == Plain {
		t, ok := d.Type.Def.(*Typedef)
		if !ok {
			break
		}
		d = t.Decl
	}
	return d
}

func (c *checker) union(u *Union) {
	// Base would not end in a typedef of itself, so find those first.
	c.depth(u)
	tag := Base(u.Tag)
	e, _ := tag.Type.Def.(*Enum)
	ok := tag.Form == Plain &&
		(e != nil || tag.Type.Kind == Int || tag.Type.Kind == Uint || tag.Type.Kind == Bool)
	if !ok {
		c.failf(u.Tag.Pos, "the tag of a union is an integer, an enumeration or a boolean")
	}
	names := map[string]bool{u.Tag.Name: true}
	seen := map[string]bool{}
	name := func(d *Decl) {
		if d.Form == Void {
			return
		}
		if names[d.Name] {
			c.failf(d.Pos, "%s is declared twice", d.Name)
		}
		names[d.Name] = true
	}
	for _, a := range u.Arms {
		for i := range a.Cases {
			v := &a.Cases[i]
			c.evaluate(v, 0)
			k := c.values[v.Text]
			if e != nil && (k == nil || k.Of != e) {
				c.failf(v.Pos, "%s is not of %s", v.Text, e.Name)
			}
			if k != nil {
				v.Of = k.Of
			}
			lo, hi := int64(0), int64(math.MaxUint32)
			switch tag.Type.Kind {
			case Int, Named:
				lo, hi = math.MinInt32, math.MaxInt32
			case Bool:
				hi = 1
			default: // unsigned
			}
			if n, exact := constant.Int64Val(v.Num); !exact || n < lo || n > hi {
				c.failf(v.Pos, "%s cannot be a case", v.Text)
			}
			if seen[v.Num.ExactString()] {
				c.failf(v.Pos, "case %s is there twice", v.Text)
			}
			seen[v.Num.ExactString()] = true
		}
		name(a.Decl)
	}
	if u.Default != nil {
		name(u.Default)
	}
}

// depth returns how many levels of types d has. It refuses a type that contains itself other than
// as the tail of a list. So the source bounds the nesting of values, and of the calls that decode
// them.
func (c *checker) depth(d Def) int {
	switch n, known := c.depths[d]; {
	case known && n == 0:
		c.failf(d.Header().Pos, "%s contains itself", d.Header().Name)
	case known:
		return n
	}
	c.depths[d] = 0 // being examined
	n := 1
	for _, decl := range Decls(d) {
		if decl.Form != Void && decl.Type.Def != nil {
			n = max(n, 1+c.depth(decl.Type.Def))
		}
	}
	if n > depthMax {
		c.failf(d.Header().Pos, "%s is nested too deep", d.Header().Name)
	}
	c.depths[d] = n
	return n
}

// depthMax bounds types within types.
const depthMax = 64

// sizes refuses arrays whose elements take no bytes, because the bytes of a record would not bound
// their number. It also refuses arrays that are kept in part and are not of numbers, and
// structures that repeat a name.
func (c *checker) sizes(d Def) {
	for _, decl := range Decls(d) {
		if decl.Keep != nil && decl.Type.Kind != Opaque && decl.Type.Kind != String {
			of := Base(&Decl{Type: decl.Type})
			if k := of.Type.Kind; of.Form != Plain || k < Int || k > Uhyper {
				c.failf(decl.Pos, keepable)
			}
		}
		if decl.Form == Variable && ElementMin(decl) == 0 {
			c.failf(decl.Pos, "an element of %s takes no bytes", decl.Name)
		}
	}
	if s, ok := d.(*Struct); ok {
		names := map[string]bool{}
		for _, f := range s.Fields {
			if names[f.Name] {
				c.failf(f.Pos, "%s is declared twice", f.Name)
			}
			names[f.Name] = true
		}
	}
}
