// Package loop runs one ring on one operating-system thread. A [Loop] has a table of operations in
// flight, passes their completions to handlers, and has a mailbox for all other threads.
//
// # Threads
//
// The goroutine that calls [Loop.Run] is locked to its thread and stays there; the same thread made
// the ring. All methods but [Loop.Post] belong to that thread. A goroutine that wants something
// else of the loop, such as its end, posts a task that does it on the loop's thread:
// Post(TaskFunc(l.Stop)).
//
// # Order of one turn
//
//  1. The tasks of the mailbox run.
//  2. The completions that were harvested last run, from a list. A handler may begin
//     new operations but never harvests.
//  3. [Owner.Turn] runs once, to send what has come together.
//  4. The loop submits everything prepared, with a system call that does not wait, and
//     lists new completions.
//  5. If there are none, and the owner has not called [Loop.Again], the loop looks on for
//     [Loop.Spin]. Then it waits in a system call that lets the Go scheduler move on.
//     A post to the mailbox wakes it.
//
// # Operations
//
// An operation in flight occupies a slot from [Loop.Begin] to its last completion. Its user data is
// the slot's index and generation, never a pointer. A completion whose generation is not the slot's
// is a bug and stops the loop. The slot keeps the handler alive, and through the handler everything
// that the kernel may touch. A multishot operation or a zero-copy send has several completions; the
// last is the one without IORING_CQE_F_MORE.
package loop
