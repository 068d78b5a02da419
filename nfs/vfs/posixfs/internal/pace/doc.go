// Package pace decides whether lanes make unstable writes themselves, or leave them to the workers.
//
// A lane that writes to the page cache saves the hand-over to a worker, but it stands still while
// the file system makes the writer wait. So there is a [Pace] for each file system. It begins with
// a probe, measures every write of a lane, and gives the lanes a pause after a slow write, or while
// too much memory is dirty. A [Writer], one for each lane, times the lane's writes.
// docs/design/0008-inline-writes.md has the rules and their numbers.
//
// Open sets a Pace up. After that any thread may use it, without a lock. A Writer belongs to its
// lane; other threads may only call Since and Tell.
package pace
