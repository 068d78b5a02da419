package xdrtest

import (
	"math/rand/v2"
	"reflect"

	"github.com/ringnfs/ringnfs/nfs/xdr"
)

// bytesMax and itemsMax bound what Fill makes, within the bounds that protocols set for handles and
// names.
const (
	bytesMax = 32
	itemsMax = 4
)

// triesMax is how often Fill tries to fill a part until the part can be encoded. A union over a
// number that has two cases needs some fifty tries.
const triesMax = 10_000

// Fill sets everything that v points to, at every depth, to random values that can be encoded. It
// recognizes enumerations by their method Valid. It fills each part that is a Message anew until
// the part can be encoded: so lists keep to their bounds, and unions to the tags that they have
// a case for.
func Fill(r *rand.Rand, v any) {
	f := filler{r, make([]byte, 1<<16)}
	f.fill(reflect.ValueOf(v).Elem())
}

type filler struct {
	*rand.Rand
	room []byte // to encode parts to
}

func (r *filler) fill(v reflect.Value) {
	for range triesMax {
		r.once(v)
		if r.encodes(v) {
			return
		}
	}
	panic("xdrtest: nothing random can be encoded as " + v.Type().String())
}

// encodes reports whether v can be encoded, or is no message.
func (r *filler) encodes(v reflect.Value) bool {
	m, ok := v.Addr().Interface().(Message)
	if !ok {
		return true
	}
	var e xdr.Encoder
	e.Reset(r.room)
	m.Encode(&e)
	return e.Err() == nil || e.Err() == xdr.ErrShort
}

func (r *filler) once(v reflect.Value) {
	if _, ok := v.Interface().(interface{ Valid() bool }); ok {
		for {
			// Make mostly small numbers, since enumerators are small. Make zero half of
			// the time, since most unions have their longest arm there.
			n := r.Uint64() >> r.IntN(64) & (1<<14 - 1) * (r.Uint64() & 1)
			if v.CanInt() {
				v.SetInt(int64(n))
				if r.IntN(4) == 0 {
					v.SetInt(-int64(n))
				}
			} else {
				v.SetUint(n)
			}
			if v.Interface().(interface{ Valid() bool }).Valid() {
				return
			}
		}
	}
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(r.IntN(2) == 1)
	case reflect.Uint8, reflect.Uint32, reflect.Uint64:
		v.SetUint(r.Uint64() >> r.IntN(64) & (1<<v.Type().Bits() - 1))
	case reflect.Int32, reflect.Int64:
		v.SetInt(int64(r.Uint64()) >> (64 - v.Type().Bits()))
	case reflect.Float32, reflect.Float64:
		v.SetFloat(float64(r.Int32()) / 1024) // exact in both encodings
	case reflect.Struct:
		for i := range v.NumField() {
			r.fill(v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			r.fill(v.Index(i))
		}
	case reflect.Slice:
		n := r.IntN(itemsMax + 1)
		if v.Type().Elem().Kind() == reflect.Uint8 {
			n = r.IntN(bytesMax + 1)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			r.fill(v.Index(i))
		}
	case reflect.Pointer:
		v.SetZero()
		if r.IntN(2) == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			r.fill(v.Elem())
		}
	default:
		panic("xdrtest: no such type in XDR: " + v.Type().String())
	}
}
