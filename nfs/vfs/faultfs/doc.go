// Package faultfs wraps any file system. A test adds rules that make operations fail, do less than
// asked, or wait. Without rules it does exactly what the wrapped file system does.
//
// # Rules
//
// A [Rule] chooses calls by operation, by name, by kind of thread, by count or by chance, and says
// what becomes of them. The first rule that applies to a call decides. Chance comes from the seed
// given to [Wrap], which tests print.
//
// # What stays true
//
// A call that a rule makes fail has not reached the wrapped file system, unless [Rule.AfterDone]
// says so. Its WCC and attributes are filled in as the interface promises. Again comes only on
// threads that may not wait. A write or commit that fails as on a broken disc also changes the
// write verifier. Only [Rule.Short] on a read breaks the interface on purpose, as a file does that
// shrinks while it is read.
//
// # Concurrency
//
// Any goroutine may use an FS and its rules. One mutex guards rules and records. It is not held
// while a call waits at a [Gate] or runs.
package faultfs
