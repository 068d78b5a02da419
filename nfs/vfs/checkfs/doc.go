// Package checkfs wraps a file system that is not known to be right, and holds it to what package
// vfs says. The one call that meets a breach ends with [vfs.ServerFault], and the breach is
// reported with the method's name. A client never sees a result that the back end should not have
// returned.
//
// Results that a method leaves unfilled are zero. The bytes of Read and ReadLink are an exception:
// checkfs believes their count. It cannot tell whether the back end wrote them, and clearing the
// buffer first would cost too much.
//
// # What is checked
//
// checkfs checks statuses, and that no worker gets [vfs.Again]; counts against the buffers that
// they count; that a call which succeeds makes progress; that handles are not empty; names, cookies
// and the progress of a listing. It also finds attributes that no file system can have. It reports
// them, too, but only removes them from a reply that can do without them, because the call has made
// its change.
//
// It does not catch a panic of the back end; package rpc does.
//
// # Cost and concurrency
//
// A call costs some comparisons and no allocation. The methods may be called from the same threads
// as those of the wrapped file system. report is called on their thread.
package checkfs
