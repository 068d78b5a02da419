package transport

// connList is a list of connections through themselves, in the order in which
// they came to be on it. A connection is on one at most.
type connList struct{ head, tail *conn }

// list puts the connection at the end of list, off the one that it was on. Nil
// only takes it off.
func (cn *conn) list(list *connList) {
	if in := cn.in; in != nil {
		if cn.before != nil {
			cn.before.after = cn.after
		} else {
			in.head = cn.after
		}
		if cn.after != nil {
			cn.after.before = cn.before
		} else {
			in.tail = cn.before
		}
		cn.before, cn.after = nil, nil
	}
	if cn.in = list; list == nil {
		return
	}
	if cn.before = list.tail; cn.before != nil {
		cn.before.after = cn
	} else {
		list.head = cn
	}
	list.tail = cn
}
