// Package v3 is version 3 of the NFS program (RFC 1813) as one [rpc.Program]:
// bytes of arguments come in, bytes of results go out, and a [vfs.View] does the
// work in between. It has no goroutines, no locks and no sockets.
//
// # How a procedure runs
//
// Every procedure is one synchronous function in a file of its own. It decodes
// its arguments, opens the file handles ([object.Opener]), checks what the
// protocol wants checked (names, ranges, read-only exports), calls one method of
// the View of the place it runs on, and encodes the results. When the View says
// [vfs.Again] nothing has happened yet: the procedure returns [rpc.Wait] and is
// run again from its beginning on a thread that may wait.
//
// # Attributes after a failure
//
// RFC 1813 wants attributes in most failures. The View fills them where it can.
// Where it does not, or where the procedure refused by itself before it called
// the View, they are asked for with GetAttr, and that may make the call wait, for
// nothing has been changed. After a change has been tried nothing is asked for:
// what the View did not fill stays out of the reply.
//
// # Memory
//
// Arguments are views of the received record. What the View fills lies in a
// scratch of the place, which only the thread of that place touches, so that no
// procedure allocates. READ reads into the reply's memory right behind its header,
// WRITE hands the received segments on as they lie, and directory entries are
// encoded while the directory is read.
//
// # The codec
//
// Arguments and results are those of package nfs3, which are generated. READ, WRITE, GETATTR,
// LOOKUP and READDIRPLUS decode and encode by hand, in fast.go, for most calls are theirs;
// fuzzing holds them equal to the generated codec.
package v3
