package lang

import (
	"fmt"
	"go/constant"
	"path/filepath"
)

// Pos is a place in the source, both numbers from 1.
type Pos struct{ Line, Col int }

// Error is a mistake in the source.
type Error struct {
	File string
	Pos  Pos
	Text string
}

// Error gives file, line, column and text.
func (e *Error) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", e.File, e.Pos.Line, e.Pos.Col, e.Text)
}

// File is one source file.
type File struct {
	Name     string
	Defs     []Def // in the order of the source, bodies within others first
	Includes []*Include
}

// Include is another source whose definitions File uses. These belong to the package in that
// source's directory.
type Include struct {
	Dir  string // the source's directory, seen from where the process runs
	Used bool   // generated code needs an import
	file *File
}

// Package returns the name of the package that the definitions belong to, which is that of the
// directory.
func (i *Include) Package() string { return filepath.Base(i.Dir) }

// Def is a definition: *Const, *Enum, *Struct, *Union, *Typedef or *Program.
type Def interface{ Header() *Head }

// Head is what all definitions and their parts have.
type Head struct {
	Pos  Pos
	Name string
	Doc  []string // lines of the comment right above
	Tail string   // the comment behind it on the same line
	From *Include // where the definition is; nil if it is in this source
	min  int      // the result of minDef plus 1, once known
}

// Header returns h, so that a type that embeds it is a Def.
func (h *Head) Header() *Head { return h }

// Value is a constant: a literal or a name.
type Value struct {
	Pos  Pos
	Text string // as written
	Num  constant.Value
	Of   *Enum // of a case: the enumeration of the enumerator it names, else nil
	// From is where the named constant is defined. It is nil for this source and for a literal.
	From *Include
}

// Uint returns the value of a checked bound.
func (v *Value) Uint() uint64 {
	n, _ := constant.Uint64Val(v.Num)
	return n
}

// Const is a constant definition or an enumerator.
type Const struct {
	Head
	Value Value
	Of    *Enum // nil for a constant definition
}

// Enum is an enumeration (RFC 4506, section 4.3).
type Enum struct {
	Head
	Items []*Const
}

// Negative reports whether an enumerator is below zero.
func (e *Enum) Negative() bool {
	for _, c := range e.Items {
		if constant.Sign(c.Value.Num) < 0 {
			return true
		}
	}
	return false
}

// Struct is a structure (section 4.14).
type Struct struct {
	Head
	Fields []*Decl
	// Node is true for an element of a linked list. Its last field, the pointer to the next
	// element, is then not in Fields.
	Node bool
}

// Union is a discriminated union (section 4.15).
type Union struct {
	Head
	Tag     *Decl
	Arms    []*Arm
	Default *Decl // nil if there is none; of form Void if it is empty
}

// Arm is one arm of a Union, for one or more cases.
type Arm struct {
	Cases []Value
	Decl  *Decl
}

// Typedef gives a declaration's type a name (section 4.18).
type Typedef struct {
	Head
	Decl *Decl
}

// Program is a program block with its versions.
type Program struct {
	Head
	Number   Value
	Versions []*Version
}

// Version is one version of a Program.
type Version struct {
	Head
	Number     Value
	Procedures []*Procedure
}

// Procedure is one procedure of a Version. Arguments without any is void.
type Procedure struct {
	Head
	Number    Value
	Result    Type
	Arguments []Type
}

// Form is how a declaration applies its type.
type Form int

// Forms of a declaration.
const (
	Plain    Form = iota // T name
	Fixed                // T name[Bound]
	Variable             // T name<Bound>
	Optional             // T *name
	Void                 // void, without a name
	List                 // T *name where T is an element of a linked list
)

// Decl is a declaration: a field, an arm, a tag, or the type that a typedef names.
type Decl struct {
	Head
	Form  Form
	Type  Type
	Bound *Value // of Fixed and Variable; nil for no bound
	// Keep is how many bytes a decoder keeps of an opaque or a string without a bound, or how
	// many numbers of an array; nil means all.
	Keep *Value
}

// Kind is a base type, or Named.
type Kind int

// Kinds of types.
const (
	Named Kind = iota
	Int
	Uint
	Hyper
	Uhyper
	Float
	Double
	Bool
	Opaque // only with Fixed and Variable
	String // only with Variable
	None   // void, of procedures
)

// Type is a type specifier. Def is the definition that a Named type refers to.
type Type struct {
	Pos  Pos
	Kind Kind
	Name string
	Def  Def
}
