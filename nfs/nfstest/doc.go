// Package nfstest is a client for tests: it speaks NFS version 3, MOUNT and the
// portmap protocols over TCP and UDP, and its methods are the protocols' verbs.
//
// # Use
//
// [Dial] makes a connection and the first [Client] on it. [Client.As],
// [Client.Anonymous] and [Client.XID] return further Clients of the same
// connection that make their calls as somebody else, or with a transaction id
// that the test chooses. A verb sends its call and waits for the answer; [Start]
// only sends, so that any number of calls may be under way.
//
// Every reply is decoded with the generated codec, to its last byte: what cannot
// be decoded, an answer to a call that was not made and a second answer to the
// same call fail the test.
//
// # Goroutines
//
// Each connection has one that reads; it ends with the connection, which the
// test's end closes. All methods may be called from any goroutine, but where
// they fail they end the goroutine that they were called on.
package nfstest
