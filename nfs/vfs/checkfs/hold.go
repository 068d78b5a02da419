package checkfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// holder is the ability to hold files without names.
type holder struct {
	view *view
	in   vfs.Holder
}

// AskKeeper implements vfs.Holder.
func (x *holder) AskKeeper(k vfs.Keeper) {
	if k == nil {
		x.in.AskKeeper(nil)
		return
	}
	x.in.AskKeeper(&keeper{x.view.report, k})
}

// keeper is a keeper who hears only of what can be.
type keeper struct {
	report Report
	vfs.Keeper
}

// Keep implements vfs.Keeper.
func (k *keeper) Keep(h vfs.Handle) bool {
	if h.Len() == 0 {
		k.report("Keep", "asked about a file without a handle")
		return false
	}
	return k.Keeper.Keep(h)
}
