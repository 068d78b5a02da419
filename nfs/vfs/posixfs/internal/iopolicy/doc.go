// Package iopolicy decides which way the data of a READ or WRITE goes: through the page cache to
// stay there, through the page cache to be dropped, or past it. It makes no system call and knows
// no file. A [Policy] gets what is known of the file's [Streams].
//
// Package iopath moves the data.
package iopolicy
