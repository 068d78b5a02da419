package checkfs_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/checkfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/vfstest"
)

// fibber has all abilities, and answers what a test tells it to.
type fibber struct {
	vfs.Ranges
	vfs.Copier
	vfs.Xattrs
	status vfs.Status
	n      uint64
	names  []string
}

func (f *fibber) Seek(*vfs.Cred, vfs.Handle, *vfs.SeekArgs, *vfs.Attr) (uint64, vfs.Status) {
	return f.n, f.status
}

func (f *fibber) Copy(*vfs.Cred, vfs.Handle, *vfs.CopyArgs, *vfs.WCC) (n, verf uint64, s vfs.Status) {
	return f.n, 0, f.status
}

func (f *fibber) GetXattr(*vfs.Cred, vfs.Handle, []byte, []byte) (int, vfs.Status) {
	return int(f.n), f.status
}

func (f *fibber) ListXattrs(_ *vfs.Cred, _ vfs.Handle, yield func([]byte) bool) vfs.Status {
	for _, name := range f.names {
		if !yield([]byte(name)) {
			break
		}
	}
	return f.status
}

func (f *fibber) SetXattr(*vfs.Cred, vfs.Handle, *vfs.XattrArgs, *vfs.WCC) vfs.Status {
	return f.status
}

func TestAbilitiesThatFibAreReported(t *testing.T) {
	seek := func(v *vfs.Abilities) vfs.Status {
		_, s := v.Ranges.Seek(nil, vfs.Handle{}, &vfs.SeekArgs{Off: 10}, new(vfs.Attr))
		return s
	}
	copied := func(v *vfs.Abilities) vfs.Status {
		_, _, s := v.Copy.Copy(nil, vfs.Handle{}, &vfs.CopyArgs{Len: 10}, new(vfs.WCC))
		return s
	}
	get := func(v *vfs.Abilities) vfs.Status {
		_, s := v.Xattrs.GetXattr(nil, vfs.Handle{}, []byte("a"), make([]byte, 10))
		return s
	}
	list := func(v *vfs.Abilities) vfs.Status {
		return v.Xattrs.ListXattrs(nil, vfs.Handle{}, func([]byte) bool { return true })
	}
	set := func(v *vfs.Abilities) vfs.Status {
		return v.Xattrs.SetXattr(nil, vfs.Handle{}, &vfs.XattrArgs{}, new(vfs.WCC))
	}
	for name, x := range map[string]struct {
		fib    fibber
		call   func(*vfs.Abilities) vfs.Status
		method string // empty for what is right
	}{
		"Seek":                     {fibber{n: 10}, seek, ""},
		"Seek to before":           {fibber{n: 9}, seek, "Seek"},
		"Copy":                     {fibber{n: 10}, copied, ""},
		"Copy of too much":         {fibber{n: 11}, copied, "Copy"},
		"GetXattr":                 {fibber{n: 10}, get, ""},
		"GetXattr of too much":     {fibber{n: 11}, get, "GetXattr"},
		"GetXattr that would fit":  {fibber{n: 10, status: vfs.TooSmall}, get, "GetXattr"},
		"GetXattr of the largest":  {fibber{n: vfs.XattrValueMax, status: vfs.TooSmall}, get, ""},
		"GetXattr of what is none": {fibber{n: vfs.XattrValueMax + 1, status: vfs.TooSmall}, get, "GetXattr"},
		"ListXattrs":               {fibber{names: []string{"a", "b", strings.Repeat("n", 250)}}, list, ""},
		"ListXattrs out of order":  {fibber{names: []string{"b", "a"}}, list, "ListXattrs"},
		"ListXattrs of a double":   {fibber{names: []string{"a", "a"}}, list, "ListXattrs"},
		"ListXattrs of no name":    {fibber{names: []string{""}}, list, "ListXattrs"},
		"ListXattrs of a long one": {fibber{names: []string{strings.Repeat("n", 251)}}, list, "ListXattrs"},
		"SetXattr that would wait": {fibber{status: vfs.Again}, set, "SetXattr"},
	} {
		t.Run(name, func(t *testing.T) {
			var reports []string
			able := &vfs.Abilities{Ranges: &x.fib, Copy: &x.fib, Xattrs: &x.fib}
			v, err := checkfs.Wrap(vfstest.Able(nil, able), func(method, breach string) {
				reports = append(reports, fmt.Sprintf("%s %s", method, breach))
			}).View(&vfs.Thread{MayWait: true})
			require.NoError(t, err)
			s := x.call(v.Abilities())
			switch x.method {
			case "":
				require.Equal(t, x.fib.status, s)
				require.Empty(t, reports)
			default:
				require.Equal(t, vfs.ServerFault, s)
				require.Len(t, reports, 1)
				require.True(t, strings.HasPrefix(reports[0], x.method+" "), reports)
			}
		})
	}
}
