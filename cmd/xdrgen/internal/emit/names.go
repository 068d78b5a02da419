package emit

import (
	"strings"

	"github.com/ringnfs/ringnfs/cmd/xdrgen/internal/lang"
)

// goName returns the Go name of a type or a field.
func goName(name string) string {
	var b strings.Builder
	for part := range strings.SplitSeq(name, "_") {
		if part != "" {
			b.WriteString(strings.ToUpper(part[:1]) + part[1:])
		}
	}
	return b.String()
}

// builtin returns the Go integer type that a typedef's name means, else "".
func builtin(t *lang.Typedef) string {
	goType := scalars[t.Decl.Type.Kind].goType
	if t.Decl.Form == lang.Plain && goType != "" && strings.TrimSuffix(t.Name, "_t") == goType {
		return goType
	}
	return ""
}

// scalar says how a base type is written in Go.
type scalar struct {
	goType string
	method string // of Encoder and Decoder
}

// float reports whether s is a floating-point number, which is written as bits.
func (s scalar) float() bool { return s.goType == "float32" || s.goType == "float64" }

// kindOf returns the base type as which the values of e are written.
func kindOf(e *lang.Enum) lang.Kind {
	if e.Negative() {
		return lang.Int
	}
	return lang.Uint
}

var scalars = map[lang.Kind]scalar{
	lang.Int:    {"int32", "Int32"},
	lang.Uint:   {"uint32", "Uint32"},
	lang.Hyper:  {"int64", "Int64"},
	lang.Uhyper: {"uint64", "Uint64"},
	lang.Float:  {"float32", "Uint32"},
	lang.Double: {"float64", "Uint64"},
	lang.Bool:   {"bool", "Bool"},
}

// scalarOf returns the scalar to which a declaration leads through plain typedefs.
func scalarOf(d *lang.Decl) (scalar, bool) {
	b := lang.Base(d)
	s, ok := scalars[b.Type.Kind]
	return s, ok && b.Form == lang.Plain
}

// typeName returns the Go type of a type specifier: that of one element, if a declaration makes an
// array or a pointer of it.
func typeName(t *lang.Type) string {
	if s, ok := scalars[t.Kind]; ok {
		return s.goType
	}
	if t.Kind == lang.String || t.Kind == lang.Opaque {
		return "byte"
	}
	if td, ok := t.Def.(*lang.Typedef); ok {
		if b := builtin(td); b != "" {
			return b
		}
	}
	return in(t.Def.Header().From, goName(t.Name))
}

// in returns a name of the package that an include stands for, or of this package.
func in(i *lang.Include, name string) string {
	if i == nil {
		return name
	}
	i.Used = true
	return i.Package() + "." + name
}

// text returns a constant in Go.
func text(v *lang.Value) string { return in(v.From, v.Text) }

// declType returns the Go type of a declaration.
func declType(d *lang.Decl) string {
	name := typeName(&d.Type)
	switch d.Form {
	case lang.Fixed:
		return "[" + text(d.Bound) + "]" + name
	case lang.Variable, lang.List:
		return "[]" + name
	case lang.Optional:
		return "*" + name
	default:
		return name
	}
}

// taken are the names that generated code needs for itself.
var taken = func() map[string]bool {
	m := map[string]bool{}
	for _, name := range []string{
		"_", "b", "d", "e", "i", "init", "n", "v", // of its own functions
		"binary", "math", "strconv", "xdr", // packages
		"bool", "byte", "clear", "copy", "false", "float32", "float64", "int32", "int64", "len", "new", "nil",
		"string", "true", "uint32", "uint64",
	} {
		m[name] = true
	}
	return m
}()
