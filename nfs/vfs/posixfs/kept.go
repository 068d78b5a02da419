package posixfs

import (
	"encoding/binary"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/ringnfs/ringnfs/nfs/vfs"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kernel"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/kind"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/recall"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/sole"
	"github.com/ringnfs/ringnfs/nfs/vfs/posixfs/internal/verdict"
)

// If nobody but this FS changes the tree (Config.Exclusive), attributes and names are answered from
// memory (package sole). Each change of an object is counted, from before the kernel is asked for it
// until it is done: begin and finishChanges. Every statx of an object that is at rest fills the
// memory. If it finds something else than the memory, somebody else has changed the object, and the
// FS forgets everything and asks the kernel from then on.
//
// docs/design/0053-exports-that-nobody-else-changes.md has the reasons.

// site is a place in the code where a change is counted. Tests leave out one at a time.
type site uint8

const (
	siteWrite site = iota + 1
	siteAlter
	siteSetAttr
	siteLocked // a change of a directory, or of extended attributes
	siteACL
	siteTaken   // an object that loses a name
	siteMoved   // an object that gets another name
	siteLinked  // an object that gets one more name
	siteNew     // an object that is changed after it was made
	siteResized // a file that CREATE finds and cuts
	siteRenameFrom
	siteRenameTo
	siteAccessed // an access time that the FS brings up to date
	siteRead     // one that the kernel moves
	sites
)

const changesMax = 6

// change is one that a View has begun.
type change struct {
	slot   *sole.Slot
	was    uint64 // slot.Attr's count from before
	names  bool   // slot.Names counts it, too
	shared bool   // the View has begun a change of another object with this slot
}

// changes are those that a View has begun. Only its thread uses them.
type changes struct {
	n    int
	list [changesMax]change
}

// keptName is a name in a directory, and the entry to which it leads.
type keptName struct {
	key   uint64 // nameKey, 0 for an empty place
	dir   uint64 // ID of the directory's entry
	count uint64 // the directory's sole.Slot.Names for which it is true
	child *entry // nil if there is no such name
	n     uint8
	name  [pathNameMax]byte
}

// keptVerdict is what the kernel has granted a caller on an object.
type keptVerdict struct {
	object         uint64 // ID of the entry, 0 for an empty place
	cred           *vfs.Cred
	count          uint64 // the object's sole.Slot.Attr for which it is true
	tick           int64
	known, granted vfs.Permission
}

// tryExclusive makes the memory of a tree that nobody else changes, or says why the tree cannot be
// one.
func (fs *FS) tryExclusive(o options) error {
	why := ""
	switch {
	case !kind.FineTimes(fs.magic) || fs.is.foreign:
		why = "it is on " + kind.Name(fs.magic) + ", where others may change it without a trace; " +
			"export a directory of ext4, XFS, btrfs or tmpfs"
	case !fs.is.switching || !fs.is.byHandle || !fs.is.private:
		why = "that takes a server that is root, with CAP_SYS_ADMIN and CAP_DAC_READ_SEARCH"
	default:
		var err error
		if why, err = fs.elsewhere(); err != nil {
			return err
		}
	}
	if why != "" {
		return fmt.Errorf(
			"posixfs: %s cannot be exported as one that nobody else changes: %s; or leave out --exclusive",
			fs.dir, why,
		)
	}
	fs.sole, fs.leaveOut = sole.New(), o.leaveOut
	return nil
}

// elsewhere names a second place where the file system is mounted for writing.
func (fs *FS) elsewhere() (why string, err error) {
	var st unix.Statx_t
	const mask = unix.STATX_BASIC_STATS | unix.STATX_MNT_ID
	if err := unix.Statx(fs.point.Visible(), "", unix.AT_EMPTY_PATH, mask, &st); err != nil {
		return "", fmt.Errorf("posixfs: attributes of %s: %w", fs.dir, err)
	}
	list, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		return "", fmt.Errorf("posixfs: where %s is mounted: %w", fs.dir, err)
	}
	if at := otherMount(string(list), st.Mnt_id); at != "" {
		return "its file system is also mounted at " + at +
			", where others can change it; unmount it there, or mount it read-only", nil
	}
	return "", nil
}

// Exclusive reports whether the tree was opened as one that nobody else changes, and whether a
// change by somebody else has been noticed since, so that the kernel is asked each time.
func (fs *FS) Exclusive() (on, withdrawn bool) {
	return fs.sole != nil, fs.sole != nil && !fs.sole.On()
}

// keepEntry makes the place for e's attributes.
func (fs *FS) keepEntry(e *entry) {
	if fs.sole != nil && !e.Own.shut && e.Own.stub == 0 {
		e.Own.kept = sole.NewKept(fs.sole.Slot(e.Key.Hash()))
	}
}

// begin counts a change of the object of k that begins now. It ends with finishChanges at the
// latest.
func (v *View) begin(k *kernel.ObjectKey, names bool, at site) {
	t := v.fs.sole
	if t == nil || at == v.fs.leaveOut {
		return
	}
	slot, l := t.Slot(k.Hash()), &v.changes
	for i := range l.n {
		if c := &l.list[i]; c.slot == slot {
			c.shared = true
			if names && !c.names {
				c.names = true
				slot.Names.Begin()
			}
			return
		}
	}
	if l.n == changesMax {
		panic("posixfs: too many objects are changed at once")
	}
	if names {
		slot.Names.Begin()
	}
	l.list[l.n] = change{slot: slot, was: slot.Attr.Begin(), names: names}
	l.n++
}

// beginAt is begin for the object called name in de, if there is one. If nobody can tell, a status
// other than OK says that the name must stay.
func (v *View) beginAt(de *entry, name *byte, at site) vfs.Status {
	if v.fs.sole == nil {
		return vfs.OK
	}
	switch errno := kernel.StatxAt(de.FD, name, &v.st3); errno {
	case 0:
		k := kernel.KeyOf(&v.st3)
		v.begin(&k, false, at)
		return vfs.OK
	default:
		return v.unseen(errno)
	}
}

// unseen returns what follows from the errno with which the kernel has not shown the object that
// is about to lose a name: OK if nothing does.
func (v *View) unseen(errno unix.Errno) vfs.Status {
	if v.fs.sole == nil || errno == unix.ENOENT {
		return vfs.OK
	}
	return v.fs.status(errno) // it could not be counted
}

// beginNew is begin for the object that v.st2 shows and that was just made.
func (v *View) beginNew() {
	if v.fs.sole == nil {
		return
	}
	k := kernel.KeyOf(&v.st2)
	v.begin(&k, false, siteNew)
	if v.fs.between != nil {
		v.fs.between()
	}
}

// finishChanges ends what begin has begun.
func (v *View) finishChanges() {
	l := &v.changes
	for i := range l.n {
		l.list[i].end()
	}
	l.n = 0
}

func (c *change) end() (now uint64) {
	if c.names {
		c.slot.Names.End()
	}
	return c.slot.Attr.End()
}

// changed ends the View's change of e, whose attributes after it are in v.st, and keeps them if
// nobody else has changed e meanwhile, which it reports. unstable is whether e had unstable data
// before the kernel was asked for the attributes.
func (v *View) changed(e *entry, unstable bool) (alone bool) {
	k, l := e.Own.kept, &v.changes
	if k == nil || !v.fs.sole.On() {
		return false
	}
	for i := range l.n {
		c := &l.list[i]
		if c.slot != k.Slot() || c.shared {
			continue
		}
		was, now := c.was, c.end()
		l.n--
		l.list[i] = l.list[l.n]
		if alone = sole.AtRest(was) && now == sole.Ended(was); alone && !unstable {
			v.keepSeen(e, now)
		}
		return alone
	}
	return false
}

// keepSeen keeps the attributes in v.st, which e had while its count was n. Where a file has
// unstable data, its space may change at any time, so its attributes are not kept.
func (v *View) keepSeen(e *entry, n uint64) {
	if v.st.Nlink == 0 || unsettled(e) {
		return
	}
	v.show(&v.st)
	e.Own.kept.Keep(n, v.fs.tick.Load(), &v.shown)
}

// show fills v.shown from st. What st does not tell is zero.
func (v *View) show(st *unix.Statx_t) {
	v.shown = vfs.Attr{}
	v.fs.attributes(&v.shown, st)
}

// unsettled reports whether the file system may move e's space at any time.
func unsettled(e *entry) bool { return e.Kind == unix.S_IFREG && dirty(e) }

// count returns e's count of changes, for met, which is called with attributes that were asked for
// after count. It is a count that is not at rest while e is unsettled.
func count(e *entry) uint64 {
	if k := e.Own.kept; k != nil && !unsettled(e) {
		return k.Slot().Attr.Now()
	}
	return sole.Never
}

// met looks at attributes of e that the kernel has just shown: st, asked for when the count was n.
// It keeps them, and compares them with what was kept before.
func (v *View) met(e *entry, n uint64, st *unix.Statx_t) {
	k := e.Own.kept
	if k == nil || !v.fs.sole.On() || !sole.AtRest(n) || k.Slot().Attr.Now() != n {
		return
	}
	v.show(st)
	switch known := k.At(n, &v.known); {
	case known && !sole.Same(&v.known, &v.shown):
		v.fs.withdraw(e)
	case st.Nlink == 0, unsettled(e):
	case known && v.known == v.shown && k.Fresh(n, v.fs.tick.Load()):
	default:
		k.Keep(n, v.fs.tick.Load(), &v.shown)
	}
}

// statKept is stat for an object whose attributes may be remembered.
func (v *View) statKept(e *entry, st *unix.Statx_t) vfs.Status {
	n := count(e)
	s := v.looked(e, v.statx(e.FD, st), st)
	if s == vfs.OK {
		v.met(e, n, st)
	}
	return s
}

// unchanged compares e's attributes before the View's change, st, with what was kept until the
// change began. The count has not moved since if nobody else is changing e.
func (v *View) unchanged(e *entry, st *unix.Statx_t) {
	k := e.Own.kept
	if k == nil || !v.fs.sole.On() {
		return
	}
	for i := range v.changes.n {
		c := &v.changes.list[i]
		if c.slot == k.Slot() && c.slot.Attr.Now() == c.was+1 && k.At(c.was, &v.known) {
			if v.show(st); !sole.Same(&v.known, &v.shown) {
				v.fs.withdraw(e)
			}
			return
		}
	}
}

// withdraw makes the FS ask the kernel each time from now on, because somebody else has changed the
// object of e.
func (fs *FS) withdraw(e *entry) {
	if fs.sole.Withdraw() {
		name, err := os.Readlink(kernel.ProcPath(e.FD))
		if err != nil {
			name = fmt.Sprintf("inode %d", e.Key.Ino)
		}
		go fs.runWithdrawn(name, e.Key.Ino) // a log may be slow
	}
}

// runWithdrawn tells the log why the FS asks the kernel again.
func (fs *FS) runWithdrawn(name string, inode uint64) {
	fs.log.Error(
		"posixfs: somebody else has changed an export that nobody else should change (--exclusive): "+
			"from now on the kernel is asked each time, as without that option; find out which program on "+
			"this machine changes files below the directory, stop it or leave the option out, and restart "+
			"the server, because clients may have seen what is no longer true",
		"dir", fs.dir,
		"object", name,
		"inode", inode,
	)
}

// inMemory finds the entry of h if it is in use and its attributes may be remembered. It publishes
// nothing: the caller uses what is remembered with the entry, and none of its descriptors.
func (v *View) inMemory(h *vfs.Handle) *entry {
	v.owner.check()
	if v.off.Load() != 0 || !v.fs.sole.On() {
		return nil
	}
	at := v.keptAt(h)
	e := *at
	if e == nil || e.Handle != *h {
		if e = v.keptOf(h); e == nil {
			return nil
		}
		*at = e
	}
	if !v.use.Lately(e) {
		if e.Dead() {
			*at = nil
		}
		return nil
	}
	return e
}

// keptAt returns the place of h in the View's quick map. The end of a handle tells most objects
// apart.
func (v *View) keptAt(h *vfs.Handle) **entry {
	const odd = 0x9e3779b97f4a7c15
	b := h.Bytes()
	if len(b) < 8 {
		return v.keptBy.At(0)
	}
	return v.keptBy.At(binary.LittleEndian.Uint64(b[len(b)-8:]) * odd >> 40)
}

// keptOf finds the entry of h in the View's map.
func (v *View) keptOf(h *vfs.Handle) *entry {
	hash := kernel.HashHandle(h)
	for _, e := range v.byHandle.Set(hash) {
		if e != nil && e.Hash == hash && e.Handle == *h && e.Own.kept != nil {
			return e
		}
	}
	return nil
}

// recallAttr is GetAttr from memory.
func (v *View) recallAttr(h *vfs.Handle, a *vfs.Attr) *entry {
	if e := v.inMemory(h); e != nil && e.Own.kept.Recall(a, v.fs.tick.Load()) {
		return e
	}
	return nil
}

// recallAccess is Access from memory. known is false if the kernel must be asked.
func (v *View) recallAccess(
	c *vfs.Cred,
	h *vfs.Handle,
	want vfs.Permission,
	a *vfs.Attr,
) (granted vfs.Permission, known bool) {
	e := v.recallAttr(h, &v.shown)
	if e == nil {
		return 0, false
	}
	if want &= verdict.Kernel; want != 0 {
		if granted, known = v.recallVerdict(c, e, want); !known {
			return 0, false
		}
	}
	*a = v.shown
	return granted, true
}

// recallName is Lookup from memory. ok is false if the kernel must be asked.
func (v *View) recallName(
	c *vfs.Cred,
	dir *vfs.Handle,
	name []byte,
	f *vfs.Found,
) (s vfs.Status, ok bool) {
	if !v.keptNames.Ready() {
		return 0, false
	}
	de := v.recallAttr(dir, &v.shown)
	if de == nil || de.Kind != unix.S_IFDIR {
		return 0, false
	}
	key := nameKey(de, name)
	set := v.keptNames.Set(key >> 2)
	for i := range set {
		p := &set[i]
		if p.key != key || p.dir != de.ID || string(p.name[:p.n]) != string(name) {
			continue
		}
		if p.count != de.Own.kept.Slot().Names.Now() || !v.maySearch(c, de) {
			return 0, false
		}
		x := p.child
		if x == nil {
			*f.Dir = v.shown
			return vfs.NoEnt, true
		}
		if !v.use.Lately(x) || !x.Own.kept.Recall(&v.known, v.fs.tick.Load()) {
			return 0, false
		}
		*f.Dir, f.Entry.Attr, f.Entry.Handle = v.shown, v.known, x.Handle
		return vfs.OK, true
	}
	return 0, false
}

// maySearch reports whether c is known to be allowed to search de.
func (v *View) maySearch(c *vfs.Cred, de *entry) bool {
	granted, known := v.recallVerdict(c, de, vfs.MayExec)
	return known && granted != 0
}

// recallVerdict returns the kernel's remembered answer on want.
func (v *View) recallVerdict(
	c *vfs.Cred,
	e *entry,
	want vfs.Permission,
) (granted vfs.Permission, known bool) {
	if !v.keptVerdicts.Ready() {
		return 0, false
	}
	d := v.verdictOf(c, e)
	if d.object != e.ID || d.cred != c || d.known&want != want || d.count != e.Own.kept.Slot().Attr.Now() ||
		v.fs.tick.Load()-d.tick >= verdict.Ticks {
		return 0, false
	}
	return d.granted & want, true
}

func (v *View) verdictOf(c *vfs.Cred, e *entry) *keptVerdict {
	x := e.ID*0x9e3779b97f4a7c15 ^ uint64(uintptr(unsafe.Pointer(c)))*0xff51afd7ed558ccd
	return v.keptVerdicts.At(x >> 32)
}

// keepVerdict remembers what the kernel has granted of want to c, if e's count has been n all the
// time. The kernel's answer depends on what the count counts, and on the policy of a security
// module, for which it is asked again after some ticks.
func (v *View) keepVerdict(c *vfs.Cred, e *entry, n uint64, want, granted vfs.Permission) {
	k := e.Own.kept
	if k == nil || !sole.AtRest(n) || k.Slot().Attr.Now() != n || !v.fs.sole.On() {
		return
	}
	if !v.keptVerdicts.Ready() {
		v.keptVerdicts = recall.NewOwn[keptVerdict](v.fs.sizes(v.lane).verdicts, 1)
	}
	d, tick := v.verdictOf(c, e), v.fs.tick.Load()
	if d.object != e.ID || d.cred != c || d.count != n || d.tick != tick {
		*d = keptVerdict{object: e.ID, cred: c, count: n, tick: tick}
	}
	d.known |= want
	d.granted = d.granted&^want | granted
}

// keepName remembers that the name has led to the entry in use, or nowhere, while the count of de's
// names was n. de's attributes are in v.st. A key for an encrypted directory changes its names
// without changing it.
func (v *View) keepName(de *entry, key uint64, name []byte, n uint64, found bool) {
	x := v.use.At(useChild)
	switch {
	case !sole.AtRest(n), de.Own.kept.Slot().Names.Now() != n, len(name) > pathNameMax,
		v.st.Attributes&unix.STATX_ATTR_ENCRYPTED != 0:
		return
	case found && (x == nil || x.Own.kept == nil):
		return
	case !found:
		x = nil
	}
	if !v.keptNames.Ready() {
		v.keptNames = recall.NewOwn[keptName](pathSets, pathWays)
	}
	set := v.keptNames.Set(key >> 2)
	p := v.keptNames.Victim(set)
	for i := range set {
		if q := &set[i]; q.key == key && q.dir == de.ID || q.key == 0 {
			p = q
			break
		}
	}
	p.key, p.dir, p.count, p.child = key, de.ID, n, x
	p.n = uint8(copy(p.name[:], name))
}

// moves reports whether reading an object of e's kind moves its access time in the kernel.
func (fs *FS) moves(e *entry) bool {
	return fs.is.movesAtime && !(fs.is.ownAtime && e.Kind == unix.S_IFREG)
}

// touched counts a reading of e that may have moved its access time.
func (v *View) touched(e *entry) {
	if v.fs.sole != nil && v.fs.moves(e) {
		v.fs.wasRead(&e.Key)
	}
}

// wasRead counts a reading of a directory or a symbolic link, after it. It may have moved the access
// time.
func (fs *FS) wasRead(k *kernel.ObjectKey) {
	if fs.sole != nil && fs.is.movesAtime && fs.leaveOut != siteRead {
		fs.sole.Slot(k.Hash()).Attr.Bump()
	}
}

// otherMount returns where the file system of a mount is mounted for writing besides, "" if nowhere.
// list is the mount table (proc(5), mountinfo), and known the mount's number there.
func otherMount(list string, known uint64) string {
	device := ""
	for line := range strings.Lines(list) {
		if f := strings.Fields(line); len(f) > 5 && f[0] == strconv.FormatUint(known, 10) {
			device = f[2]
		}
	}
	for line := range strings.Lines(list) {
		f := strings.Fields(line)
		if len(f) > 5 && f[2] == device && f[0] != strconv.FormatUint(known, 10) &&
			slices.Contains(strings.Split(f[5], ","), "rw") {
			return f[4]
		}
	}
	return ""
}
