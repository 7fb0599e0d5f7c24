// Package sparse keeps what a peer can repeat at will from filling the log: of one kind about
// one peer there is a line in a minute, which counts those before that were left out.
package sparse

import (
	"sync"
	"time"
)

const (
	every = time.Minute
	// most bounds the memory. What is beyond it within a minute shares one line.
	most = 1024
)

// Lines says which lines are due. The zero value is ready, and safe for concurrent use.
type Lines struct {
	mu    sync.Mutex // guards what follows
	lines map[string]*line
}

type line struct {
	last time.Time
	left int // out since
}

// Due reports whether a line with the key is to be logged now, and how many were left out
// since the one before.
func (l *Lines) Due(key string, now time.Time) (left int, due bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.lines == nil {
		l.lines = make(map[string]*line)
	}
	if len(l.lines) >= most && l.lines[key] == nil {
		for k, one := range l.lines {
			if one.left == 0 && now.Sub(one.last) >= every {
				delete(l.lines, k)
			}
		}
		if len(l.lines) >= most {
			key = ""
		}
	}
	one := l.lines[key]
	if one == nil {
		l.lines[key] = &line{last: now}
		return 0, true
	}
	if age := now.Sub(one.last); age >= 0 && age < every {
		one.left++
		return 0, false
	}
	left, one.last, one.left = one.left, now, 0
	return left, true
}
