// Command paths measures the ways that data can take between a file in the page cache and a TCP
// socket, each alone and without a server around it. The server's choices rest on these figures.
// `make paths` runs it; docs/design/0010 reads its tables.
//
// Each measurement is a process of its own (this program, started again) whose threads do nothing
// but answer. In a READ they answer a call of 128 bytes with a header of 128 bytes and data from a
// file; in a WRITE they answer a header of 128 bytes and data with 128 bytes. They decode nothing,
// so the figures show the differences between the ways and nothing else. The client is this
// process, with a thread for each connection over loopback. It costs little, because it discards
// data in the kernel (MSG_TRUNC) and sends data from a memory file (sendfile).
//
// A measurement begins and ends while the server sleeps, so the processor time of its process,
// io_uring's workers included, is exact. All measurements are repeated in rounds, and the tables
// hold the medians.
package main
