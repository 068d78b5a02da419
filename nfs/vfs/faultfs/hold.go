package faultfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// holder is the ability to hold files without names. It has no faults of its own: a Remove or
// Rename that a rule makes fail asks nobody, and one that fails with AfterDone has asked.
type holder struct{ in vfs.Holder }

// AskKeeper implements vfs.Holder.
func (x *holder) AskKeeper(k vfs.Keeper) { x.in.AskKeeper(k) }
