// Package sockdiag asks the kernel whose socket is at the other end of a connection
// within this machine, and which addresses are this machine's.
//
// It speaks NETLINK_SOCK_DIAG (Linux 3.3) and NETLINK_ROUTE, which any user may, and
// knows nothing of NFS. "This machine" is the network namespace in which [Open] was
// called: a process in another one, such as a container with an address of its own, is
// elsewhere.
//
// A question is a message to the kernel and its answer, which is there when the message
// has been sent: nobody else is waited for. All methods may be called from any goroutine.
package sockdiag
