// Package interop holds tests of ringnfs against programs that others wrote:
// the Linux kernel's client, libnfs, a client in Go, tshark, and what
// administrators type. Our answers are also compared with those of nfs-ganesha and
// the kernel's own server to the same questions, which the command internal/ask
// puts. The tests run with the build tag interop, as part of `make test`, which
// installs those programs:
//
//	go test -tags interop ./nfs/interop -run 'TestWorkload/ext4.*/full' -v
//
// # How they run
//
// ringnfs is built once, or taken from $RINGNFS_PROGRAM. The kernel's client
// is a user-mode-linux guest that the script uml-nfs starts, with the server,
// in a network, process and mount namespace of their own; run it by hand to
// look around: `./uml-nfs --server ringnfs:ext4 -c 'ls -la'`. Other clients
// reach the server on loopback or in a network namespace made for the test.
// All of it ends with the test, also when that fails or is killed.
//
// # What is missing
//
// A test that needs a program which is not installed is skipped, with the
// program named; with RINGNFS_REQUIRE=1, as under `make test`, it fails. What
// needs root is skipped without it. RINGNFS_KEEP=DIR keeps the logs of guests
// and servers.
package interop
