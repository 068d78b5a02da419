package memfs

import "github.com/ringnfs/ringnfs/nfs/vfs"

// holder is a tree that holds files without names. It implements vfs.Holder.
type holder tree

// AskKeeper implements vfs.Holder.
func (h *holder) AskKeeper(k vfs.Keeper) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.keeper = k
}

// keep holds n, which is about to lose a name, if the keeper wants it; kept is to follow. t.mu is
// held.
func (v *view) keep(n *inode) {
	k := v.t.keeper
	if n.typ != vfs.TypeReg || k == nil || !k.Any() || !k.Keep(v.t.handle(n)) {
		return
	}
	n.holds++
	v.asked, v.asker = n, k
}

// kept tells the keeper what became of the file that it wanted, if there was one.
func (v *view) kept() {
	n, k, t := v.asked, v.asker, v.t
	if n == nil {
		return
	}
	v.asked, v.asker = nil, nil
	var held vfs.Held
	t.mu.Lock()
	if n.nlink == 0 {
		held = &hold{t, n}
	} else {
		t.drop(n)
	}
	t.mu.Unlock()
	k.Kept(t.handle(n), held)
}

// hold is one hold of a file. It implements vfs.Held.
type hold struct {
	t *tree
	n *inode
}

// Drop implements vfs.Held.
func (h *hold) Drop() {
	h.t.mu.Lock()
	defer h.t.mu.Unlock()
	h.t.drop(h.n)
}

// drop ends a hold of n. t.mu is held.
func (t *tree) drop(n *inode) {
	if n.holds == 0 { // a restart has ended all
		return
	}
	if n.holds--; n.holds == 0 && n.nlink == 0 {
		t.forget(n)
	}
}

// letGo ends all holds.
func (t *tree) letGo() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keeper = nil
	for _, n := range t.nodes {
		if n.holds = 0; n.nlink == 0 {
			t.forget(n)
		}
	}
}
