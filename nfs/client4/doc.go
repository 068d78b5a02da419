// Package client4 is a client of NFS version 4, minor versions 0, 1 and 2, for tools and tests. It
// makes one compound at a time, and caches nothing.
//
// # Use
//
// A [Client] is what a server knows as one client: a client ID and, from minor version 1 on, a
// session. It makes its calls by a [client.Caller], such as a connection of package client.
//
//	c := client4.New(conn, 2, []byte("a name that no other client has"))
//	err := c.Establish(client4.Limits{Slots: 1})
//	res, err := c.Do(client4.PutRootFH(), client4.Lookup("srv"), client4.GetFH())
//	err = c.End()
//
// Functions such as [Lookup] make operations of the types of package nfs4. [Client.Do] puts
// SEQUENCE before them, and returns their results without SEQUENCE's.
//
// # Waiting
//
// A server that answers NFS4ERR_DELAY, or NFS4ERR_GRACE after its start, wants the call again
// later. Do waits and asks again, for at most [Client.Patience].
//
// # Errors
//
// When an operation fails, the error is a [*StatusError]. Other errors are those of the Caller.
//
// # Goroutines
//
// There are none. A Client is for one goroutine at a time, and blocks until replies are there.
package client4
