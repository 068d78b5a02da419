package transport

// connList is a list of connections, linked through fields of their own, in the order in which they
// joined. A connection is on one such list at most.
type connList struct{ head, tail *conn }

// list takes the connection off its list and puts it at the end of list, unless list is nil.
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

// linked is a value that has the link to the next value of a fifo.
type linked[T any] interface {
	*T
	link() **T
}

// fifo is a queue of values, linked through fields of their own. A value is in one fifo at most.
type fifo[T any, P linked[T]] struct{ head, tail *T }

// push puts v at the end.
func (q *fifo[T, P]) push(v *T) {
	*P(v).link() = nil
	if q.tail == nil {
		q.head = v
	} else {
		*P(q.tail).link() = v
	}
	q.tail = v
}

// take empties the queue and returns its first value, which is linked to the others.
func (q *fifo[T, P]) take() *T {
	v := q.head
	q.head, q.tail = nil, nil
	return v
}

// pop takes the first value, nil when there is none.
func (q *fifo[T, P]) pop() *T {
	v := q.head
	if v == nil {
		return nil
	}
	next := P(v).link()
	if q.head = *next; q.head == nil {
		q.tail = nil
	}
	*next = nil
	return v
}
