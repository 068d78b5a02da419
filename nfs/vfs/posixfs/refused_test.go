package posixfs

import (
	"testing"
	"time"
	"unsafe"

	"github.com/stretchr/testify/require"
	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
)

// refuse makes each system call nr of this thread fail with errno from now on.
func refuse(nr uint32, errno unix.Errno) error {
	const (
		allow     = 0x7fff0000 // SECCOMP_RET_ALLOW
		withErrno = 0x00050000 // SECCOMP_RET_ERRNO
	)
	code := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS}, // seccomp_data.nr
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: nr},
		{Code: unix.BPF_RET | unix.BPF_K, K: withErrno | uint32(errno)},
		{Code: unix.BPF_RET | unix.BPF_K, K: allow},
	}
	prog := unix.SockFprog{Len: uint16(len(code)), Filter: &code[0]}
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	return unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0)
}

// A lane does not answer with an error that may not happen at the next try: a worker tries the call
// again.
func TestALaneLeavesWhatMayPassToAWorker(t *testing.T) {
	s := serve(t, tmpfsDir(t), Config{}, options{period: time.Hour})
	s.write("seen", "", 0o644)
	for name, nr := range map[string]uint32{
		"handle": unix.SYS_NAME_TO_HANDLE_AT, "open": unix.SYS_OPENAT2, "attributes": unix.SYS_STATX,
	} {
		s.write(name, "", 0o644)
		_ = s.lookup("seen") // so that a lane need not ask for more
		var filtered error
		lane := newRunner(t, s.fs, false)
		lane.do(func(v *View) {
			var e vfs.Entry
			var d vfs.Attr
			require.Equal(
				t,
				vfs.OK,
				v.Lookup(lane.cred(0, 0), s.fs.Root(), []byte("seen"), &vfs.Found{Entry: &e, Dir: &d}),
				name,
			)
			if filtered = refuse(nr, unix.ENOMEM); filtered != nil {
				return
			}
			require.Equal(
				t,
				vfs.Again,
				v.Lookup(lane.cred(0, 0), s.fs.Root(), []byte(name), &vfs.Found{Entry: &e, Dir: &d}),
				name,
			)
		})
		lane.close()
		if filtered != nil {
			t.Skipf("needs filters of system calls: %v", filtered)
		}
	}
}
