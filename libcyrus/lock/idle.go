package lock

// idleList is a ring of entries, the least recently used first.
type idleList struct {
	root entry
	n    int
}

func (l *idleList) init() { l.root.next, l.root.prev = &l.root, &l.root }

// push appends e. If the list is full then, it returns its first, removed.
func (l *idleList) push(e *entry) *entry {
	e.prev, e.next = l.root.prev, &l.root
	e.prev.next, e.next.prev = e, e
	l.n++
	if l.n > maxIdle {
		return l.pop()
	}
	return nil
}

// remove takes e out if it is in.
func (l *idleList) remove(e *entry) {
	if e.next != nil {
		e.prev.next, e.next.prev = e.next, e.prev
		e.prev, e.next = nil, nil
		l.n--
	}
}

// pop removes and returns the first, or nil.
func (l *idleList) pop() *entry {
	e := l.root.next
	if e == &l.root {
		return nil
	}
	l.remove(e)
	return e
}
