// Package kind knows what file systems are like: their names, their limits, how fine their
// time stamps are, how they compare names. Some of it the kernel tells, some is tried with a
// file that has no name, and the rest is written down here from the file systems' headers.
//
// It is asked while an export starts. The functions that take a descriptor may block for the
// file system.
package kind
