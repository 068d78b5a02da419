// Package checkfs wraps a file system that is not known to be right, and holds
// it to what package vfs says. A breach ends as [vfs.ServerFault] for the one call
// that met it, and is reported with the method's name; a client never sees what
// the back end had no business to return. What a method leaves unfilled is zero, but for
// the bytes of Read and ReadLink, whose count is taken at its word: whether they were
// written cannot be told, and to clear the buffer first would cost too much.
//
// # What is checked
//
// Statuses, and that no worker is told [vfs.Again]; counts against the buffers
// they are counts of; that a call which succeeds makes progress; handles that are
// not empty; names, cookies and the progress of a listing. Attributes that no file
// system can have are left out of a reply that can do without them, because what
// the call has changed is changed: they are reported all the same.
//
// A panic of the back end is not caught here: whoever runs procedures does that.
//
// # Cost and concurrency
//
// A call costs some comparisons and no allocation. The methods may be called from
// where those of the wrapped file system may; report is called on their thread.
package checkfs
