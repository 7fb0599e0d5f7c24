// Package pace makes what is worked out about a person take a time that says nothing of the
// person: how long it may take is settled by what was asked alone, and what is ready earlier
// waits, without a processor, until then.
//
// [New], then [Pace.Begin] before anything is looked up, [Lap.Pause] and [Lap.Resume] around
// what takes its own time whoever it is about, such as a write to disk, and [Lap.Rest] when all is
// known.
//
// Work that took longer than its time, as on a machine that is overloaded, is rounded up to the
// next multiple of it: what shows then is how often that happens. Multiples of a time that most
// work keeps are the predictive mitigation of timing channels with one epoch (Askarov, Zhang and
// Myers, CCS 2010), whose leak grows with the logarithm of the epochs that are missed.
//
// What other Queries feel of the work, as on a processor that is shared, is not hidden.
package pace

import (
	"context"
	"time"
)

const (
	// DefaultQuantum is what a look-up and the comparison of a face or an iris keep 999 times of 1,000
	// on a machine that is not overloaded, several times over.
	DefaultQuantum = 2 * time.Millisecond
	// Longest bounds what is waited, well below what a handler of the transport may take.
	Longest = 10 * time.Second
)

// Pace says how long work takes. A nil Pace has none of it wait.
type Pace struct {
	quantum time.Duration // immutable
}

// New gives a Pace at which one unit of work takes the quantum, 0 for DefaultQuantum.
func New(quantum time.Duration) *Pace {
	if quantum <= 0 {
		quantum = DefaultQuantum
	}
	return &Pace{quantum}
}

// Lap is one piece of work. It is of one goroutine.
type Lap struct {
	whole  time.Duration // what it is to take
	spent  time.Duration // before it was resumed
	since  time.Time     // when it was begun or resumed
	paused bool
	rested bool
}

// Begin begins work of so many units, which must follow from what was asked and from nothing that
// is known of the person.
func (p *Pace) Begin(units int) *Lap {
	if p == nil {
		return nil
	}
	whole := min(max(1, time.Duration(units))*p.quantum, Longest)
	return &Lap{whole: whole, since: time.Now()}
}

// Pause stops the lap's time.
func (l *Lap) Pause() {
	if l != nil && !l.paused {
		l.spent, l.paused = l.spent+time.Since(l.since), true
	}
}

// Resume lets it go on.
func (l *Lap) Resume() {
	if l != nil && l.paused {
		l.since, l.paused = time.Now(), false
	}
}

// Rest returns when the work took its time, or a multiple of it, or with ctx; once it has, it
// returns at once. It reports whether the work took longer than its time.
func (l *Lap) Rest(ctx context.Context) (late bool) {
	if l == nil || l.rested {
		return false
	}
	l.Pause()
	l.rested = true
	times := max(1, (l.spent+l.whole-1)/l.whole)
	due := time.NewTimer(times*l.whole - l.spent)
	defer due.Stop()
	select {
	case <-due.C:
	case <-ctx.Done():
	}
	return times > 1
}
