package lang

import "math"

// Min returns how many bytes an encoded value of d takes at least, or 2^31-1 if that is less.
func Min(d *Decl) int {
	switch d.Form {
	case Void:
		return 0
	case Variable, Optional, List:
		return 4
	case Fixed:
		n := int(d.Bound.Uint())
		if d.Type.Kind == Opaque {
			return (n + 3) &^ 3
		}
		return saturate(n * minType(&d.Type))
	default:
		return minType(&d.Type)
	}
}

// ElementMin returns how many bytes an element of d takes at least. d is of form Fixed, Variable or
// List.
func ElementMin(d *Decl) int {
	switch {
	case d.Type.Kind == Opaque, d.Type.Kind == String:
		return 1
	case d.Form == List:
		return saturate(4 + minType(&d.Type)) // the pointer after it
	default:
		return minType(&d.Type)
	}
}

func saturate(n int) int { return min(n, math.MaxInt32) }

func minType(t *Type) int {
	switch t.Kind {
	case Hyper, Uhyper, Double:
		return 8
	case Named:
		return minDef(t.Def)
	default:
		return 4
	}
}

func minDef(d Def) int {
	h := d.Header()
	if h.min == 0 {
		h.min = 1 + minBody(d)
	}
	return h.min - 1
}

func minBody(d Def) int {
	switch d := d.(type) {
	case *Struct:
		sum := 0
		for _, f := range d.Fields {
			sum = saturate(sum + Min(f))
		}
		return sum
	case *Union:
		least := math.MaxInt32
		for _, a := range d.Arms {
			least = min(least, Min(a.Decl))
		}
		if d.Default != nil {
			least = min(least, Min(d.Default))
		}
		return saturate(Min(d.Tag) + least)
	case *Typedef:
		return Min(d.Decl)
	default:
		return 4
	}
}
