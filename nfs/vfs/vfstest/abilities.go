package vfstest

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// Decorator tests that a file system that wraps another one also wraps each of its abilities, and
// has no others.
func Decorator(t *testing.T, wrap func(vfs.FS) vfs.FS) {
	t.Helper()
	fields := reflect.VisibleFields(reflect.TypeFor[vfs.Abilities]())
	look := func(in *vfs.Abilities) reflect.Value {
		v, err := wrap(Able(nil, in)).View(&vfs.Thread{MayWait: true})
		require.NoError(t, err)
		require.Same(t, v.Abilities(), v.Abilities())
		return reflect.ValueOf(v.Abilities()).Elem()
	}
	none := look(new(vfs.Abilities))
	for i, f := range fields {
		require.Truef(t, none.Field(i).IsNil(), "the decorator makes an ability up: %s", f.Name)
		one := new(vfs.Abilities)
		given := reflect.ValueOf(one).Elem().Field(i)
		given.Set(reflect.ValueOf(All()).Elem().Field(i))
		got := look(one)
		for j, other := range fields {
			if j != i {
				require.Truef(t, got.Field(j).IsNil(), "the decorator makes %s of %s", other.Name, f.Name)
				continue
			}
			require.Falsef(t, got.Field(i).IsNil(), "the decorator loses the ability %s", f.Name)
			require.NotEqualf(
				t,
				given.Elem().Type(),
				got.Field(i).Elem().Type(),
				"the decorator does not wrap the ability %s",
				f.Name,
			)
		}
	}
}

// All returns Abilities with every ability. Each does nothing and returns OK.
func All() *vfs.Abilities {
	return &vfs.Abilities{
		Splice: idle{}, ACLs: idle{}, Hold: idle{}, Locks: idle{},
		Ranges: idle{}, Copy: idle{}, Xattrs: idle{},
	}
}

// Able returns in with other abilities. Decorator needs no more than that.
func Able(in vfs.FS, has *vfs.Abilities) vfs.FS { return &ableFS{in, has} }

type ableFS struct {
	vfs.FS
	has *vfs.Abilities
}

func (f *ableFS) View(t *vfs.Thread) (vfs.View, error) {
	if f.FS == nil {
		return &ableView{has: f.has}, nil
	}
	v, err := f.FS.View(t)
	return &ableView{v, f.has}, err
}

type ableView struct {
	vfs.View
	has *vfs.Abilities
}

func (v *ableView) Abilities() *vfs.Abilities { return v.has }

type idle struct{}

func (idle) GetACL(*vfs.Cred, vfs.Handle, *vfs.ACLSet, *vfs.Attr) vfs.Status { return vfs.OK }
func (idle) SetACL(*vfs.Cred, vfs.Handle, *vfs.ACLSet, *vfs.Attr) vfs.Status { return vfs.OK }

func (idle) AskKeeper(vfs.Keeper) {}

func (idle) OpenLocks(vfs.Handle) (vfs.Locks, vfs.Status) { return nil, vfs.OK }

func (idle) Splice(_ *vfs.Cred, _ vfs.Handle, r *vfs.SpliceArgs, _ *vfs.Attr) (int, bool, vfs.Status) {
	return 0, true, vfs.OK
}

func (idle) Allocate(*vfs.Cred, vfs.Handle, *vfs.RangeArgs, *vfs.WCC) vfs.Status   { return vfs.OK }
func (idle) Deallocate(*vfs.Cred, vfs.Handle, *vfs.RangeArgs, *vfs.WCC) vfs.Status { return vfs.OK }
func (idle) WillNeed(*vfs.Cred, vfs.Handle, *vfs.RangeArgs) vfs.Status             { return vfs.OK }

func (idle) Seek(_ *vfs.Cred, _ vfs.Handle, r *vfs.SeekArgs, _ *vfs.Attr) (uint64, vfs.Status) {
	return r.Off, vfs.OK
}

func (idle) Clone(*vfs.Cred, vfs.Handle, *vfs.CopyArgs, *vfs.WCC) vfs.Status { return vfs.OK }

func (idle) Copy(*vfs.Cred, vfs.Handle, *vfs.CopyArgs, *vfs.WCC) (n, verf uint64, s vfs.Status) {
	return 0, 0, vfs.OK
}

func (idle) Lend(*vfs.Cred, vfs.Handle, func(any, uint64) vfs.Status) vfs.Status { return vfs.OK }

func (idle) GetXattr(*vfs.Cred, vfs.Handle, []byte, []byte) (int, vfs.Status)    { return 0, vfs.OK }
func (idle) SetXattr(*vfs.Cred, vfs.Handle, *vfs.XattrArgs, *vfs.WCC) vfs.Status { return vfs.OK }
func (idle) ListXattrs(*vfs.Cred, vfs.Handle, func(name []byte) bool) vfs.Status { return vfs.OK }
func (idle) RemoveXattr(*vfs.Cred, vfs.Handle, []byte, *vfs.WCC) vfs.Status      { return vfs.OK }
