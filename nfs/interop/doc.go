// Package interop holds tests of ringnfs against programs that others wrote: the Linux kernel's
// client, libnfs, a client in Go, tshark, and the commands that administrators type. The command
// internal/ask also puts the same questions to ringnfs, to nfs-ganesha and to the kernel's own
// server, and a test compares the answers. The tests run with the build tag interop, as part of
// `make test`, which installs those programs:
//
//	go test -tags interop ./nfs/interop -run 'TestWorkload/ext4.*/full' -v
//
// # How they run
//
// The tests build ringnfs once, or take it from $RINGNFS_PROGRAM. The kernel's client is a
// user-mode-linux guest. The script uml-nfs starts it, with the server, in a network, process and
// mount namespace of their own. Run the script by hand to look around: `./uml-nfs --server
// ringnfs:ext4 -c 'ls -la'`. Other clients reach the server on loopback or in a network namespace
// made for the test. All of it ends with the test, also when the test fails or is killed.
//
// # What is missing
//
// A test that needs a program which is not installed is skipped and names the program; with
// RINGNFS_REQUIRE=1, as under `make test`, it fails. Tests that need root are skipped without it.
// RINGNFS_KEEP=DIR keeps the logs of guests and servers.
package interop
