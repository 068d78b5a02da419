package uringtest

// Leaks describes the operations without a final completion, and those whose completion nobody
// harvested.
func (r *Ring) Leaks() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var list []string
	for _, o := range r.live {
		why := "no final completion"
		if o.owedZC {
			why = "no notification"
		}
		list = append(list, o.String()+": "+why)
	}
	for _, o := range r.loose {
		list = append(list, o.String()+": completion not harvested")
	}
	return list
}

func (r *Ring) checkDone() {
	r.t.Helper()
	for _, l := range r.Leaks() {
		r.t.Errorf("uringtest: left over: %s", l)
	}
	if r.t.Failed() {
		r.t.Logf("uringtest: seed %d", r.opt.Seed)
	}
}

// mustBeOpen reports use after Close. The lock is held.
func (r *Ring) mustBeOpen(what string) {
	if r.closed {
		r.t.Errorf("uringtest: %s after Close", what)
	}
}

// mustBeUnique reports two operations in flight under one user data, whose completions nobody could
// tell apart. Operations of user data zero are exempt: nobody asks about them. The lock is held.
func (r *Ring) mustBeUnique(o *Op) {
	if o.UserData == 0 {
		return
	}
	for _, l := range r.live {
		if l.UserData == o.UserData {
			r.t.Errorf("uringtest: user data %#x of %v is that of %v", o.UserData, o, l)
		}
	}
}
