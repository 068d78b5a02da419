package vfs

// Debts are what the changes made on a thread owe to stable storage. Without them each method that
// promises stable storage keeps its promise before it returns. With them a caller pays for several
// changes together, when the reply that tells of them is about to leave.
//
// The caller calls Open, makes changes through Views of the thread, and calls Close. Between the
// two, a method that has made its change may return OK and leave the rest to its [Payer]. If Close
// says that something is owed, no reply may tell of these changes before Pay has returned OK for
// the number that Close gave. A back end that knows nothing of Debts keeps its promises at once,
// and owes nothing.
//
// Debts belong to their [Thread], and all methods are called on it. The zero value is ready. They
// are of use only where Thread.MayWait.
type Debts struct {
	open   bool
	added  bool    // something is owed since Open, or since the last Pay after it
	paid   uint64  // how many debts have been paid
	owed   []Payer // of the present debt, the number paid+1; each once
	status [debtsKept]Status
	// failed is the last debt of those that failed and are not in status any more; lost is what
	// became of it.
	failed uint64
	lost   Status
}

// Payer is the part of a View that pays what changes owe.
type Payer interface {
	// Pay puts on stable storage what the changes through the View owe. OK says that all are on
	// stable storage. Every other status goes to each of them, and nothing is owed afterwards.
	// Pay blocks. It must not call Owe.
	Pay() Status
}

// debtsKept is how many debts back Pay knows exactly how a debt was paid. Of older ones it knows
// whether they, or later ones, have failed.
const debtsKept = 64

// Open lets changes put off what they owe, until Close.
func (d *Debts) Open() { d.open, d.added = true, false }

// Close ends what Open began. It returns the number of the debt to which changes since Open belong,
// 0 if they owe nothing. Changes from before Open may belong to the same debt.
func (d *Debts) Close() (number uint64) {
	owes := d.added
	d.open, d.added = false, false
	if !owes {
		return 0
	}
	return d.paid + 1
}

// Owe is called by a back end that has made a change which p is to pay for. It reports false if the
// change cannot be put off: then the back end pays before it returns.
func (d *Debts) Owe(p Payer) bool {
	if !d.open {
		return false
	}
	d.added = true
	for _, x := range d.owed {
		if x == p {
			return true
		}
	}
	d.owed = append(d.owed, p)
	return true
}

// Owing reports whether changes since Open owe anything.
func (d *Debts) Owing() bool { return d.added }

// Pay pays the debt with the number that Close returned, and blocks for that. If the debt has been
// paid already, because others owed it too, Pay returns what became of it. If parts of the debt
// have different payers, the status is the first that is not OK. The number 0 is OK.
func (d *Debts) Pay(number uint64) Status {
	switch {
	case number == 0:
		return OK
	case number > d.paid:
		return d.PayAll()
	case d.paid-number >= debtsKept:
		if number <= d.failed {
			return d.lost // of the number itself nothing is known any more
		}
		return OK
	}
	return d.status[number%debtsKept]
}

// PayAll pays what is owed now, and blocks for that.
func (d *Debts) PayAll() Status {
	if len(d.owed) == 0 {
		return OK
	}
	// Should a payer panic, the debt has failed and is over, and the thread can go on.
	owed := d.owed
	d.owed, d.added = owed[:0], false
	d.paid++
	status := &d.status[d.paid%debtsKept]
	if *status != OK {
		d.failed, d.lost = d.paid-debtsKept, *status
	}
	*status = ServerFault
	s := OK
	for i, p := range owed {
		owed[i] = nil
		t := p.Pay()
		if t == Again || t >= NumStatus {
			t = ServerFault
		}
		if s == OK {
			s = t
		}
	}
	*status = s
	return s
}
