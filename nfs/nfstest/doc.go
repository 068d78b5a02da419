// Package nfstest is a client for tests. It speaks NFS version 3, MOUNT and the portmap protocols
// over TCP and UDP. It stands on package client; here a call that fails ends the test, and any
// number of calls may be under way.
//
// # Use
//
// [Dial] makes a connection and the first [Client] on it. [Client.As], [Client.Anonymous] and
// [Client.XID] return further Clients of the same connection, which make their calls as another
// user, or with a transaction id that the test chooses. A verb sends its call and waits for the
// answer; [Client.Start] only sends.
//
// Every reply is decoded to its last byte with the generated codec. A reply that cannot be decoded,
// a reply to a call that was not made, and a second reply to the same call fail the test.
//
// # Goroutines
//
// Each connection has one goroutine that reads. It ends with the connection, which the end of the
// test closes. Any goroutine may call any method, but a method that fails ends the goroutine that
// called it.
package nfstest
