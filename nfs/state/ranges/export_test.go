package ranges

// Room returns for how many locks the table has memory.
func (t *Table) Room() int { return cap(t.locks) }

// Sound reports whether each lock has the right reach.
func (t *Table) Sound() bool {
	var reach uint64
	for _, e := range t.locks {
		if reach = max(reach, e.End); e.reach != reach {
			return false
		}
	}
	return true
}
