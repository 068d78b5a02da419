// Package faultfs wraps any file system and makes its operations fail, fall
// short or wait, as the rules say that a test adds. Without rules it does
// exactly what the wrapped one does.
//
// # Rules
//
// A [Rule] chooses calls by operation, by name, by kind of thread, by count or
// by chance, and says what becomes of them. The first rule that applies to a
// call decides. Chance comes from the seed given to [Wrap], which tests print.
//
// # What stays true
//
// A call that is made to fail has not reached the wrapped file system, unless
// [Rule.AfterDone] says so; its WCC and attributes are filled in as the
// interface promises. Again comes only on threads that may not wait. A write
// or commit that is made to fail as a disc does also changes the write verifier.
// Only [Rule.Short] on a read breaks the interface on purpose, as a file that
// shrinks while it is read does.
//
// # Concurrency
//
// An FS and its rules may be used from any goroutine. One mutex guards rules and
// records; it is not held while a call waits at a [Gate] or is done.
package faultfs
