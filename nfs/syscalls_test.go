package nfs_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/ringnfs/ringnfs/nfs/syscalls"
)

// wrappers are the functions of the standard library and of x/sys that the server calls, with the
// system calls that they make. An empty list means none, or calls that Go's runtime makes anyway.
var wrappers = map[string]string{
	"unix.Access": "faccessat", "unix.Bind": "bind", "unix.Capget": "capget", "unix.Capset": "capset",
	"unix.Chmod": "fchmodat", "unix.Close": "close", "unix.Eventfd": "eventfd2", "unix.Fadvise": "fadvise64",
	"unix.FcntlInt": "fcntl", "unix.Fstatfs": "fstatfs", "unix.Getegid": "getegid",
	"unix.Getgroups":   "getgroups",
	"unix.Getpeername": "getpeername", "unix.Getrlimit": "prlimit64", "unix.Getsockname": "getsockname",
	"unix.GetsockoptString": "getsockopt", "unix.GetsockoptTCPInfo": "getsockopt", "unix.Gettid": "gettid",
	"unix.Getxattr": "getxattr", "unix.Setxattr": "setxattr", "unix.Removexattr": "removexattr",
	"unix.Listen": "listen", "unix.Madvise": "madvise", "unix.Mmap": "mmap", "unix.MmapPtr": "mmap",
	"unix.MountSetattr": "mount_setattr", "unix.Munmap": "munmap", "unix.MunmapPtr": "munmap",
	"unix.Nanosleep": "nanosleep", "unix.Open": "openat", "unix.OpenTree": "open_tree",
	"unix.Openat":  "openat",
	"unix.Openat2": "openat2", "unix.Pipe2": "pipe2", "unix.Pread": "pread64", "unix.Pwrite": "pwrite64",
	"unix.SchedGetAttr": "sched_getattr", "unix.SchedSetAttr": "sched_setattr", "unix.SetNonblock": "fcntl",
	"unix.SetsockoptInt": "setsockopt", "unix.SetsockoptLinger": "setsockopt",
	"unix.SetsockoptString": "setsockopt",
	"unix.Shutdown":         "shutdown", "unix.Socket": "socket", "unix.Splice": "splice", "unix.Stat": "newfstatat",
	"unix.Statx": "statx", "unix.SyncFileRange": "sync_file_range", "unix.Sysinfo": "sysinfo",
	"unix.Uname":      "uname",
	"unix.Socketpair": "socketpair", "unix.SendmsgN": "sendmsg", "unix.Read": "read",
	"unix.Connect": "connect",
	"unix.Poll":    "ppoll", "unix.Fspick": "fspick", "unix.FsconfigReconfigure": "fsconfig",
	"unix.Sendto": "sendto", "unix.Recvfrom": "recvfrom", "unix.Accept4": "accept4",
	"unix.Write": "write", "unix.Ftruncate": "ftruncate", "unix.Listxattr": "listxattr",
	"unix.Statfs": "statfs", "unix.Fstat": "fstat", "unix.Fsync": "fsync",

	"unix.Flock": "flock", "unix.ByteSliceToString": "", "syscall.Errno": "",
	"syscall.AllThreadsSyscall6": "", "unix.BytePtrToString": "", "unix.Errno": "",
	"unix.Getpagesize": "", "unix.Mkdev": "",
	"unix.NsecToTimespec": "", "unix.ParseSocketControlMessage": "", "unix.PktInfo4": "", "unix.PktInfo6": "",
	"unix.RawSyscall": "", "unix.RawSyscall6": "", "unix.Syscall": "", "unix.Syscall6": "", // with a number of unix.SYS_

	"syscall.Flock": "flock",

	"os.Create": "openat", "os.CreateTemp": "openat", "os.Geteuid": "geteuid", "os.Getgroups": "getgroups",
	"os.Link": "linkat", "os.Lstat": "newfstatat", "os.Mkdir": "mkdirat", "os.NewFile": "fcntl",
	"os.Open":     "openat",
	"os.OpenFile": "openat", "os.ReadDir": "openat getdents64", "os.ReadFile": "openat read fstat",
	"os.WriteFile": "openat write", "os.Remove": "unlinkat", "os.Readlink": "readlinkat",
	"os.Stat": "newfstatat", "os.Rename": "renameat2",
	"os.Getegid": "getegid", "os.Exit": "", "os.IsNotExist": "", "os.Getuid": "", "os.Getgid": "",
	"os.Getenv": "", "os.NewSyscallError": "",
}

// TestEverySystemCallIsListed reads the sources. Every system call that the server makes must be in
// the table that is tried at the start. Whoever adds a call adds it there, with the meaning of its
// refusal; TestEachSystemCallRefused then checks that meaning.
func TestEverySystemCallIsListed(t *testing.T) {
	listed := make(map[string]bool)
	for _, c := range syscalls.Calls {
		listed[c.Name] = true
	}
	made := make(map[string]bool)
	files := 0
	for _, root := range []string{"../nfs", "../uring", "../bufring", "../cmd/ringnfs"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case d.IsDir():
				switch d.Name() {
				case "testdata",
					"interop",
					"nfstest",
					"rpctest",
					"vfstest",
					"xdrtest",
					"uringtest",
					"bufringtest",
					"witness",
					"syscalls",
					"fusetest",
					"disktest":
					return fs.SkipDir // tests, another program, and the table itself
				}
			case strings.HasSuffix(path, ".go") && !strings.HasSuffix(path, "_test.go") &&
				filepath.Base(path) != "profile.go":
				files++
				return callsIn(t, path, listed, made)
			}
			return nil
		}))
	}
	require.Greater(t, files, 100, "the sources are elsewhere")
	for _, name := range slices.Sorted(maps.Keys(listed)) {
		if !made[name] && !slices.Contains(indirect, name) {
			t.Errorf("%s is listed, and nobody makes it", name)
		}
	}
}

// indirect are the calls that are made by packages net and os, and by os.File.
var indirect = []string{
	"read",
	"fstat",
	"fsync",
	"recvmsg",
	"sendmsg",
	"sendto",
	"recvfrom",
	"mincore",
	"getegid",
	"write",
}

// callsIn adds to made the system calls that a file makes, and reports calls that are not listed.
func callsIn(t *testing.T, path string, listed, made map[string]bool) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	f, err := parser.ParseFile(token.NewFileSet(), path, text, 0)
	if err != nil {
		return err
	}
	note := func(name string) {
		if made[name] = true; !listed[name] {
			t.Errorf("%s makes the system call %s, which syscalls.Calls does not have", path, name)
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if pkg, ok := n.X.(*ast.Ident); ok && (pkg.Name == "unix" || pkg.Name == "syscall") {
				if nr, ok := strings.CutPrefix(n.Sel.Name, "SYS_"); ok {
					note(strings.ToLower(nr))
				}
			}
		case *ast.CallExpr:
			sel, ok := n.Fun.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			pkg, ok := sel.X.(*ast.Ident)
			if !ok || pkg.Obj != nil || pkg.Name != "unix" && pkg.Name != "os" && pkg.Name != "syscall" {
				return true
			}
			made, known := wrappers[pkg.Name+"."+sel.Sel.Name]
			if !known && pkg.Name == "syscall" { // as in x/sys, mostly
				made, known = wrappers["unix."+sel.Sel.Name]
			}
			if !known && (pkg.Name != "os" || strings.HasPrefix(path, "../nfs")) { // commands write their own files
				t.Errorf("%s calls %s.%s: which system calls is that? Say so in wrappers", path,
					pkg.Name, sel.Sel.Name)
			}
			for _, name := range strings.Fields(made) {
				note(name)
			}
		case *ast.Ident:
			if n.Name == "sysCachestat" {
				note("cachestat")
			}
		}
		return true
	})
	return nil
}
