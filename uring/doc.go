// Package uring is a thin binding of Linux's io_uring: one ring, its set-up, the preparation of
// entries, submission, completion and registration. It starts no goroutine, keeps no policy and
// allocates nothing after set-up. It has only the operations that this project uses. A further
// operation comes together with its use and its test.
//
// # Life cycle
//
// New probes the kernel and makes a ring. SQE gives a zeroed entry, a Prep method fills it,
// SetUserData names it. Submit passes queued entries to the kernel without waiting, Wait waits for
// completions, Harvest copies them out. Close ends the ring.
//
// The floor is Linux 6.1. Everything younger is a Feature, and Features tells of each whether the
// kernel has it, lacks it, or the caller switched it off.
//
// # Threads
//
// A Ring belongs to one thread. With SingleIssuer (the default) the kernel insists: only the thread
// that called New may submit, wait and register, so its goroutine must hold runtime.LockOSThread.
// Two methods of one ring must not run at the same time; Features may be called at any time. Only
// Wait blocks.
//
// # Memory that the kernel reads later
//
// Go's collector does not see the addresses in an entry, and goroutine stacks move. So all memory
// whose address a Prep method takes (data, message headers, times) must lie outside the Go heap
// (Map, MapSlice) or be pinned. It belongs to the kernel from Submit until the entry's final
// completion: the one without More, and for a zero-copy send the one with Notif. User data is an
// index, never a pointer.
//
// # Memory order
//
// The ring reads and writes the words that it shares with the kernel through sync/atomic, whose
// operations are at least acquire loads and release stores on amd64 and arm64. It writes an entry
// before the tail that publishes the entry. It reads a completion after the tail that shows it, and
// before it stores the head that gives the completion's place back.
package uring
