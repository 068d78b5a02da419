package state

// Overgrown returns the sessions whose clients are to be asked to use fewer slots (CB_RECALL_SLOT),
// with the highest that each may go on using: memory is short, they keep replies of slots beyond
// their first eight, and they can be called back. A session comes once, until its client has done
// so or memory is plentiful again. One goroutine at a
// time calls it. It looks at all slots while memory is short, and costs nothing
// else.
func (t *Table) Overgrown() (ss []*Session, highest []uint32) {
	is := t.budget.level.Load() == dire
	if !is && !t.recalled {
		return nil, nil
	}
	t.recalled = is
	t.sessions.All(func(s *Session) {
		switch {
		case !is:
			s.recalled.Store(false)
		case s.recalled.Load() || !s.Answers():
		default:
			if to := s.target(dire, 0); s.keepsAbove(to) {
				s.recalled.Store(true)
				ss, highest = append(ss, s), append(highest, to)
			}
		}
	})
	return ss, highest
}

// keepsAbove reports whether replies of slots above highest are kept.
func (s *Session) keepsAbove(highest uint32) bool {
	for i := (highest + 1) / groupLen; i < uint32(len(s.groups)); i++ {
		g := s.groups[i].Load()
		if g == nil {
			continue
		}
		for j := range g {
			if i*groupLen+uint32(j) > highest && classOf(g[j].word.Load()) != 0 {
				return true
			}
		}
	}
	return false
}

// complied forgets the replies that a client gives up that was asked to use fewer slots, when its
// requests say that it does.
func (s *Session) complied(highest uint32) {
	if s.recalled.Load() && highest <= s.target(dire, 0) && s.recalled.CompareAndSwap(true, false) {
		s.retire(highest)
	}
}
