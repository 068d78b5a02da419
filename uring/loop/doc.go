// Package loop runs one ring on one operating-system thread: a table of
// operations in flight, the dispatch of their completions, and a mailbox for
// everybody else.
//
// # Threads
//
// [Loop.Run] is called by a goroutine that is locked to its thread and stays
// there; the ring was made on it. All methods but [Loop.Post] belong to that
// thread. Whoever else wants something of the loop, such as its end, posts a task that
// does it there: Post(TaskFunc(l.Stop)).
//
// # Order of one turn
//
//  1. the tasks of the mailbox run,
//  2. the completions harvested last run, from a list: a handler may begin new
//     operations but never harvests,
//  3. [Owner.Turn] runs once, to send what has come together,
//  4. everything prepared is submitted with a system call that does not wait,
//     and new completions are listed,
//  5. only when there are none, and the owner has not asked for a turn by
//     [Loop.Again], does the loop look on for [Loop.Spin] and then wait, in a system call that lets
//     the Go scheduler move on; a post to the mailbox wakes it.
//
// # Operations
//
// An operation in flight occupies a slot from [Loop.Begin] to its last
// completion. Its user data is the slot's index and generation, never a pointer;
// a completion whose generation is not the slot's is a bug and stops the loop.
// The slot keeps the handler alive, and through it everything that the kernel
// may touch. A multishot operation or a zero-copy send has several completions;
// the last is the one without IORING_CQE_F_MORE.
package loop
