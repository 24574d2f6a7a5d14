package engine

import (
	"container/list"
	"sync"
)

// lru remembers values by key within bounds: the one used longest ago goes
// first. It is safe for concurrent use.
type lru[V any] struct {
	maxEntries, maxWeight int
	weight                func(V) int // nil: entries alone count

	mu      sync.Mutex
	entries map[string]*list.Element // of *lruEntry[V]
	order   list.List                // latest first
	total   int
}

type lruEntry[V any] struct {
	key    string
	value  V
	weight int
}

func (l *lru[V]) get(key string) (value V, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e, ok := l.entries[key]
	if !ok {
		return value, false
	}
	l.order.MoveToFront(e)
	return e.Value.(*lruEntry[V]).value, true
}

func (l *lru[V]) put(key string, value V) {
	weight := 0
	if l.weight != nil {
		weight = l.weight(value)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.entries == nil {
		l.entries = make(map[string]*list.Element)
	}
	if e, ok := l.entries[key]; ok {
		l.drop(e)
	}
	l.entries[key] = l.order.PushFront(&lruEntry[V]{key, value, weight})
	l.total += weight
	for l.order.Len() > l.maxEntries || l.weight != nil && l.total > l.maxWeight {
		l.drop(l.order.Back())
	}
}

func (l *lru[V]) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if e, ok := l.entries[key]; ok {
		l.drop(e)
	}
}

func (l *lru[V]) drop(e *list.Element) {
	entry := l.order.Remove(e).(*lruEntry[V])
	l.total -= entry.weight
	delete(l.entries, entry.key)
}
