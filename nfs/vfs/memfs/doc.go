// Package memfs is a file system in memory. Protocol tests and demonstrations use it. It behaves
// like a local POSIX file system. It checks permissions by mode bits itself, since there is no
// kernel behind it to ask.
//
// File contents are maps of blocks, so a byte at offset 2^62 costs one block. All memory counts
// against one budget; when it is used up, changes that need more fail with NoSpc.
//
// # Concurrency
//
// One lock guards the whole tree. Methods that only look share it; the others exclude each other,
// so before and after of a WCC are exact. Nothing sleeps while holding it, so no method ever
// returns Again. Callbacks are called without it.
//
// # What is simpler than on disc
//
// Reading does not change access times. Time stamps are strictly increasing: two changes never have
// the same ctime. Data is as stable as the process: Write reports the stability that was asked for,
// so that clients send their COMMITs.
package memfs
