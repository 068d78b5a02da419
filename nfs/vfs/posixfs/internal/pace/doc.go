// Package pace decides whether lanes make unstable writes themselves, or leave them to the
// workers.
//
// A lane that writes to the page cache saves the hand-over to a worker, but it stands still
// for as long as the file system makes the writer wait. So a [Pace], one for each file
// system, begins with a probe, measures every write of a lane, and gives the lanes a pause
// after a slow one, or while too much memory is dirty. A [Writer], one for each lane, tells
// the time of its writes. The rules and their numbers: docs/design/0008-inline-writes.md.
//
// A Pace is set up by Open and then used by any thread without a lock. A Writer is its
// lane's; only Since and Tell may be called by others.
package pace
