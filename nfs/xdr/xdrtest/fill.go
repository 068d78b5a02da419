package xdrtest

import (
	"math/rand/v2"
	"reflect"
)

// bytesMax and itemsMax bound what Fill makes, within the bounds that protocols set for handles and
// names.
const (
	bytesMax = 32
	itemsMax = 4
)

// Fill sets everything that v points to, at every depth, to random values that can be encoded. It
// recognizes enumerations by their method Valid.
func Fill(r *rand.Rand, v any) { fill(r, reflect.ValueOf(v).Elem()) }

func fill(r *rand.Rand, v reflect.Value) {
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
			fill(r, v.Field(i))
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(r, v.Index(i))
		}
	case reflect.Slice:
		n := r.IntN(itemsMax + 1)
		if v.Type().Elem().Kind() == reflect.Uint8 {
			n = r.IntN(bytesMax + 1)
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(r, v.Index(i))
		}
	case reflect.Pointer:
		v.SetZero()
		if r.IntN(2) == 1 {
			v.Set(reflect.New(v.Type().Elem()))
			fill(r, v.Elem())
		}
	default:
		panic("xdrtest: no such type in XDR: " + v.Type().String())
	}
}
