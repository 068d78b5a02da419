package lang

import (
	"fmt"
	"go/constant"
	gotoken "go/token"
	"os"
	"path/filepath"
	"strings"
)

// nestMax bounds bodies within bodies.
const nestMax = 16

// Parse reads and checks one source file. Errors are of type *Error and contain name. A line
//
//	#include "../other/other.x"
//
// makes Parse also read another source, whose definitions are then known. The path is relative to
// that of name.
func Parse(name, src string) (f *File, err error) { return parse(name, src, 0) }

// includeMax bounds includes within includes.
const includeMax = 4

func parse(name, src string, depth int) (f *File, err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case *Error:
			f, err = nil, r
		default:
			panic(r)
		}
	}()
	p := &parser{
		scanner: scanner{file: name, src: src, pos: Pos{1, 1}},
		f:       &File{Name: name},
	}
	p.scanner.include = func(at Pos, line string) { p.f.Includes = append(p.f.Includes, p.included(at, line, depth+1)) }
	p.tok = p.scanner.next()
	for p.tok.kind != tokEnd {
		p.definition()
	}
	check(p.f)
	return p.f, nil
}

// included reads the source that an #include names.
func (p *parser) included(at Pos, line string, depth int) *Include {
	path, ok := strings.CutPrefix(strings.TrimSpace(line), `#include "`)
	path, end := strings.CutSuffix(path, `.x"`)
	if !ok || !end || filepath.IsAbs(path) || depth > includeMax {
		p.failf(
			at,
			"an include names a source by its path, a few deep at most: #include \"../other/other.x\"",
		)
	}
	path = filepath.Join(filepath.Dir(p.file), path+".x")
	src, err := os.ReadFile(path)
	if err != nil {
		p.failf(at, "%v", err)
	}
	f, err := parse(path, string(src), depth)
	if err != nil {
		p.failf(at, "%v", err)
	}
	return &Include{Dir: filepath.Dir(path), file: f}
}

type parser struct {
	scanner
	f    *File
	last token // the token before tok
	tok  token // the token to come
	nest int
}

func (p *parser) failf(at Pos, format string, args ...any) {
	p.fail(at, fmt.Sprintf(format, args...))
}

func (p *parser) take() token {
	p.last = p.tok
	p.tok = p.scanner.next()
	return p.last
}

// accept takes the next token if its text is text.
func (p *parser) accept(text string) bool {
	if p.tok.kind == tokEnd || p.tok.text != text {
		return false
	}
	p.take()
	return true
}

func (p *parser) expect(text string) {
	if !p.accept(text) {
		p.failf(p.tok.pos, "expected %q, found %q", text, p.tok.text)
	}
}

var reserved = map[string]bool{
	"bool": true, "case": true, "const": true, "default": true, "double": true, "enum": true,
	"float": true, "hyper": true, "int": true, "opaque": true, "program": true, "quadruple": true,
	"string": true, "struct": true, "switch": true, "typedef": true, "union": true,
	"unsigned": true, "version": true, "void": true,
}

func (p *parser) name() string {
	if p.tok.kind != tokName || reserved[p.tok.text] {
		p.failf(p.tok.pos, "expected a name, found %q", p.tok.text)
	}
	return p.take().text
}

// head starts a part at the next token, with the comment right above it.
func (p *parser) head() Head {
	h := Head{Pos: p.tok.pos}
	if n := len(p.tok.before); n > 0 {
		c := p.tok.before[n-1]
		if c.from > p.last.pos.Line && c.to >= p.tok.pos.Line-1 {
			h.Doc = c.lines
		}
	}
	return h
}

// tail adds the comment that follows the last token on its line.
func (p *parser) tail(h *Head) {
	if len(p.tok.before) > 0 && p.tok.before[0].from == p.last.pos.Line {
		h.Tail = strings.Join(p.tok.before[0].lines, " ")
	}
}

// end takes a semicolon and the comment behind it.
func (p *parser) end(h *Head) {
	p.expect(";")
	p.tail(h)
}

func (p *parser) value() Value {
	v := Value{Pos: p.tok.pos, Text: p.tok.text}
	if p.tok.kind == tokNumber {
		text, negative := strings.CutPrefix(v.Text, "-")
		v.Num = constant.MakeFromLiteral(text, gotoken.INT, 0)
		if v.Num.Kind() != constant.Int {
			p.failf(v.Pos, "%q is not a number", v.Text)
		}
		if negative {
			v.Num = constant.UnaryOp(gotoken.SUB, v.Num, 0)
		}
		p.take()
		return v
	}
	v.Text = p.name()
	return v
}

func (p *parser) add(d Def) { p.f.Defs = append(p.f.Defs, d) }

func (p *parser) definition() {
	h := p.head()
	switch {
	case p.accept("const"):
		c := &Const{Head: h}
		c.Name = p.name()
		p.expect("=")
		c.Value = p.value()
		p.end(&c.Head)
		p.add(c)
	case p.accept("typedef"):
		t := &Typedef{Decl: p.declaration("")}
		if t.Decl.Form == Void {
			p.failf(h.Pos, "void has no name")
		}
		h.Name = t.Decl.Name
		t.Head = h
		p.end(&t.Head)
		p.keep(t)
		p.add(t)
	case p.accept("enum"):
		h.Name = p.name()
		p.end(p.enum(h).Header())
	case p.accept("struct"):
		h.Name = p.name()
		p.end(p.structure(h).Header())
	case p.accept("union"):
		h.Name = p.name()
		p.end(p.union(h).Header())
	case p.accept("program"):
		p.program(h)
	default:
		p.failf(p.tok.pos, "expected a definition, found %q", p.tok.text)
	}
}

// keepDirective begins a comment behind a typedef of an opaque, a string or an array without a
// bound. A number of bytes or elements follows it: see [Decl.Keep].
const keepDirective = "xdrgen:keep "

// keep takes a keepDirective out of the comment behind t.
func (p *parser) keep(t *Typedef) {
	text, ok := strings.CutPrefix(t.Tail, keepDirective)
	if !ok {
		return
	}
	t.Tail = ""
	v := Value{Pos: t.Pos, Text: text}
	v.Num = constant.MakeFromLiteral(text, gotoken.INT, 0)
	if t.Decl.Form != Variable || t.Decl.Bound != nil {
		p.failf(t.Pos, keepable)
	}
	if n, exact := constant.Uint64Val(v.Num); !exact || n >= keepMax {
		p.failf(t.Pos, "%q is not a number below %d", text, keepMax)
	}
	t.Decl.Keep = &v
}

// keepable says what can have a keepDirective.
const keepable = "only an opaque, a string or an array of numbers without a bound can be kept in part"

// keepMax bounds the number of a keepDirective.
const keepMax = 1 << 20

func (p *parser) enum(h Head) Def {
	e := &Enum{Head: h}
	p.expect("{")
	for {
		c := &Const{Head: p.head(), Of: e}
		c.Name = p.name()
		p.expect("=")
		c.Value = p.value()
		e.Items = append(e.Items, c)
		more := p.accept(",")
		p.tail(&c.Head)
		if !more {
			break
		}
	}
	p.expect("}")
	p.add(e)
	return e
}

func (p *parser) structure(h Head) Def {
	s := &Struct{Head: h}
	p.body(func() {
		f := p.declaration(h.Name)
		if f.Form == Void {
			p.failf(f.Pos, "a field is not void")
		}
		p.end(&f.Head)
		s.Fields = append(s.Fields, f)
	})
	p.add(s)
	return s
}

// body runs part for each part between braces.
func (p *parser) body(part func()) {
	if p.nest++; p.nest > nestMax {
		p.failf(p.tok.pos, "bodies are nested too deep")
	}
	p.expect("{")
	for first := true; first || !p.accept("}"); first = false {
		part()
	}
	p.nest--
}

func (p *parser) union(h Head) Def {
	u := &Union{Head: h}
	p.expect("switch")
	p.expect("(")
	u.Tag = p.declaration(h.Name)
	p.expect(")")
	p.body(func() {
		if u.Default != nil {
			p.failf(p.tok.pos, "the default comes last")
		}
		if p.accept("default") {
			p.expect(":")
			u.Default = p.declaration(h.Name)
			p.end(&u.Default.Head)
			return
		}
		a := &Arm{}
		doc := p.head().Doc
		for p.accept("case") {
			a.Cases = append(a.Cases, p.value())
			p.expect(":")
		}
		if len(a.Cases) == 0 {
			p.failf(p.tok.pos, "expected a case, found %q", p.tok.text)
		}
		a.Decl = p.declaration(h.Name)
		if a.Decl.Doc == nil {
			a.Decl.Doc = doc
		}
		p.end(&a.Decl.Head)
		u.Arms = append(u.Arms, a)
	})
	if len(u.Arms) == 0 {
		p.failf(h.Pos, "a union needs a case")
	}
	p.add(u)
	return u
}

// declaration reads a declaration without its semicolon. A body within it gets a name made of outer
// and the declared name.
func (p *parser) declaration(outer string) *Decl {
	d := &Decl{Head: p.head()}
	if p.accept("void") {
		d.Form = Void
		return d
	}
	var body func(name string)
	d.Type, body = p.typ()
	switch {
	case p.accept("*"):
		d.Form = Optional
		d.Name = p.name()
	default:
		d.Name = p.name()
		switch {
		case p.accept("["):
			d.Form = Fixed
			v := p.value()
			d.Bound = &v
			p.expect("]")
		case p.accept("<"):
			d.Form = Variable
			if !p.accept(">") {
				v := p.value()
				d.Bound = &v
				p.expect(">")
			}
		}
	}
	switch k := d.Type.Kind; {
	case k == Opaque && d.Form != Fixed && d.Form != Variable,
		k == String && d.Form != Variable:
		p.failf(d.Type.Pos, "opaque and string need a length")
	}
	if body != nil {
		d.Type.Name = strings.TrimPrefix(outer+"_"+d.Name, "_")
		body(d.Type.Name)
	}
	return d
}

var baseTypes = map[string]Kind{
	"int": Int, "hyper": Hyper, "float": Float, "double": Double, "bool": Bool,
	"opaque": Opaque, "string": String,
}

// typ reads a type specifier. For a body it also returns a function that defines the body under a
// name, since the name is known only later; until then the body's text is skipped.
func (p *parser) typ() (Type, func(name string)) {
	t := Type{Pos: p.tok.pos}
	text := p.tok.text
	if k, ok := baseTypes[text]; ok && p.tok.kind == tokName {
		p.take()
		t.Kind = k
		return t, nil
	}
	switch text {
	case "unsigned":
		p.take()
		t.Kind = Uint
		if p.accept("hyper") {
			t.Kind = Uhyper
		} else {
			p.accept("int")
		}
		return t, nil
	case "enum", "struct", "union":
		p.take()
		if p.tok.text == "{" || p.tok.text == "switch" {
			return t, p.inner(text)
		}
	case "quadruple":
		p.failf(t.Pos, "quadruple is not supported")
	}
	t.Name = p.name()
	return t, nil
}

// inner notes where a body stands and skips it, because the name that it declares comes after it.
// The function that it returns goes back, reads the body under that name, and returns to the
// parser's later place.
func (p *parser) inner(word string) func(name string) {
	start, last, tok := p.scanner, p.last, p.tok
	for depth := 0; ; {
		switch t := p.take(); {
		case t.kind == tokEnd:
			p.failf(t.pos, "body without an end")
		case t.text == "{":
			depth++
		case t.text == "}":
			depth--
		}
		if p.last.text == "}" && depth == 0 {
			break
		}
	}
	return func(name string) {
		now, nowLast, nowTok := p.scanner, p.last, p.tok
		p.scanner, p.last, p.tok = start, last, tok
		if p.nest++; p.nest > nestMax {
			p.failf(tok.pos, "bodies are nested too deep")
		}
		h := Head{Pos: tok.pos, Name: name}
		switch word {
		case "enum":
			p.enum(h)
		case "struct":
			p.structure(h)
		case "union":
			p.union(h)
		}
		p.nest--
		p.scanner, p.last, p.tok = now, nowLast, nowTok
	}
}

func (p *parser) program(h Head) {
	g := &Program{Head: h}
	g.Name = p.name()
	p.body(func() {
		v := &Version{Head: p.head()}
		p.expect("version")
		v.Name = p.name()
		p.body(func() { v.Procedures = append(v.Procedures, p.procedure()) })
		p.expect("=")
		v.Number = p.value()
		p.end(&v.Head)
		g.Versions = append(g.Versions, v)
	})
	p.expect("=")
	g.Number = p.value()
	p.end(&g.Head)
	p.add(g)
}

func (p *parser) procedure() *Procedure {
	r := &Procedure{Head: p.head()}
	r.Result = p.procedureType()
	r.Name = p.name()
	p.expect("(")
	for {
		if t := p.procedureType(); t.Kind != None {
			r.Arguments = append(r.Arguments, t)
		}
		if !p.accept(",") {
			break
		}
	}
	p.expect(")")
	p.expect("=")
	r.Number = p.value()
	p.end(&r.Head)
	return r
}

func (p *parser) procedureType() Type {
	at := p.tok.pos
	if p.accept("void") {
		return Type{Pos: at, Kind: None}
	}
	t, body := p.typ()
	if body != nil || t.Kind == Opaque {
		p.failf(at, "the type of a procedure needs a name")
	}
	return t
}
