package uringtest

// Faults are probabilities between 0 and 1. The fake rolls each on every occasion.
type Faults struct {
	Delay         float64 // a completion comes later, perhaps after younger ones
	Short         float64 // a socket transfers less than it could
	EndMultishot  float64 // a multishot operation ends with this completion
	NoBuffers     float64 // a receive finds its group empty
	Busy          float64 // Submit and Wait return uring.ErrBusy
	PartialSubmit float64 // Submit takes only the first entries
	SpuriousWake  float64 // Wait returns too early
	Already       float64 // a cancel comes too late: -EALREADY
	LateNotif     float64 // a zero-copy notification comes some calls later
	// BundleGap: a bundle goes on in the next buffer before it has filled the present one, and
	// counts the bytes as if it had (Linux 6.13.11 to 6.14.11).
	BundleGap float64
	// IncGap: a receive into an incremental buffer skips some of the buffer.
	IncGap float64
}

// Storm is a mixture in which every fault happens often, and work still gets done.
func Storm() *Faults {
	return &Faults{
		Delay: 0.3, Short: 0.3, EndMultishot: 0.1, NoBuffers: 0.05, Busy: 0.05,
		PartialSubmit: 0.2, SpuriousWake: 0.1, Already: 0.2, LateNotif: 0.2,
	}
}

// fault rolls for one fault. The lock is held.
func (r *Ring) fault(which func(*Faults) float64) bool {
	if r.opt.Faults == nil {
		return false
	}
	p := which(r.opt.Faults)
	return p > 0 && r.rng.Float64() < p
}

// releaseNotifs sends notifications that LateNotif held back: some, or all.
// No lock is held.
func (r *Ring) releaseNotifs(all bool) {
	r.mu.Lock()
	var now []*Op
	r.notifs = keep(r.notifs, func(o *Op) bool {
		if all || r.rng.IntN(3) == 0 {
			now = append(now, o)
			return false
		}
		return true
	})
	r.mu.Unlock()
	for _, o := range now {
		if o.owes() {
			o.Notify(true)
		}
	}
}
