// Package sockdiag asks the kernel which user has the socket at the other end of a connection
// within this machine, and which addresses are this machine's.
//
// It speaks NETLINK_SOCK_DIAG (Linux 3.3) and NETLINK_ROUTE, which every user may use, and knows
// nothing of NFS. "This machine" is the network namespace in which [Open] was called. A process in
// another namespace, such as a container with an address of its own, is elsewhere.
//
// A question is a message to the kernel. The answer is there when the message has been sent, so a
// question waits for nobody else. Any goroutine may call any method.
package sockdiag
