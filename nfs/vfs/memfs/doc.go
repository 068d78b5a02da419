// Package memfs is a file system in memory: the tree behind protocol tests and
// demonstrations. It behaves like a local POSIX file system, permission checks
// by mode bits included, since there is no kernel behind it to ask.
//
// File contents are maps of blocks, so that a byte at offset 2^62 costs one
// block. All memory counts against one budget; when it is used up, changes that
// need more fail with NoSpc.
//
// # Concurrency
//
// One lock guards the whole tree: methods that only look share it, the others
// exclude each other, so before and after of a WCC are exact. Nothing sleeps
// while holding it, therefore no method ever returns Again. Callbacks are called
// without it.
//
// # What is simpler than on disc
//
// Reading does not change access times. Time stamps are strictly increasing:
// two changes never have the same ctime. Data is as stable as the process: Write
// reports the stability that was asked for, so that clients send their COMMITs.
package memfs
