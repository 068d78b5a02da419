// Package iopolicy decides which way the data of a READ or WRITE goes: through the page
// cache to stay there, through it to be dropped, or past it. It makes no system call, and
// knows no file: a [Policy] is asked with what is known of the file's [Streams].
//
// How data goes each way is posixfs's.
package iopolicy
