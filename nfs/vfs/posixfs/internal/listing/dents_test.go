package listing

import (
	"encoding/binary"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"
)

// dent is an entry as the kernel writes it (struct linux_dirent64). The room behind the name
// is not cleared.
func dent(number, place uint64, kind byte, name string) []byte {
	b := binary.NativeEndian.AppendUint64(nil, number)
	b = binary.NativeEndian.AppendUint64(b, place)
	b = binary.NativeEndian.AppendUint16(b, uint16((19+len(name)+1+7)&^7))
	b = append(append(append(b, kind), name...), 0)
	for len(b)%8 != 0 {
		b = append(b, 'x')
	}
	return b
}

func TestEntriesAsTheKernelWritesThem(t *testing.T) {
	d := Dents(dent(7, 8, unix.DT_DIR, "."))
	d = append(d, dent(1<<63+1, 1<<62, unix.DT_DIR, "..")...)
	d = append(d, dent(3, 1<<63-1, unix.DT_REG, ".x")...)
	d = append(d, dent(4, 5, unix.DT_LNK, "...")...)
	d = append(d, dent(5, 6, unix.DT_UNKNOWN, "12345678901234")...) // no room behind the name
	type seen struct {
		number, place uint64
		kind          byte
		name, path    string
		dot, dotdot   bool
	}
	var all []seen
	for x := d; len(x) > 0; x = x.Rest() {
		all = append(all, seen{
			x.Number(), x.Place(), x.Kind(), string(x.Name()), unix.BytePtrToString(x.Path()),
			x.Dot(), x.DotDot(),
		})
	}
	require.Equal(t, []seen{
		{7, 8, unix.DT_DIR, ".", ".", true, false},
		{1<<63 + 1, 1 << 62, unix.DT_DIR, "..", "..", false, true},
		{3, 1<<63 - 1, unix.DT_REG, ".x", ".x", false, false},
		{4, 5, unix.DT_LNK, "...", "...", false, false},
		{5, 6, unix.DT_UNKNOWN, "12345678901234", "12345678901234", false, false},
	}, all)
	d.SetNumber(9)
	d.setPlace(10)
	require.Equal(t, Dents(dent(9, 10, unix.DT_DIR, ".")), d.first())
}
