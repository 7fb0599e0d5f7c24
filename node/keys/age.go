package keys

import "time"

// Age is how old generations are, measured by how long what was made under them may be
// opened: see [Generations.Age].
type Age struct {
	Rotate time.Time // When the current generation is to be replaced.
	// Retire is when the oldest generation is to be destroyed, the zero time while there
	// is none before the current one.
	Retire time.Time
	// Keep is the generation before which all are due to be destroyed now, 0 for none.
	Keep uint32
	// Doubt says that the current generation began in the future: the clock is wrong, or
	// was. Nothing may be done by it until somebody has looked.
	Doubt bool
}

// future is how far in the future a time may lie before it is taken for an error: a clock
// was wrong when it was written.
const future = time.Hour

// Age says what a retention asks for. Nothing that a generation opens, and was made while
// it was the current one, is to be opened longer than the retention: half of it is how
// long a generation is the current one, and half of it how long it is kept after that.
// So what is made under it can be opened for at least half of the retention. A generation
// of unknown age is due to be replaced now, and then kept for half of the retention. One
// that began no later than the one before it, by a clock that had been put back, destroys
// nothing.
func (g Generations) Age(retention time.Duration, now time.Time) Age {
	half := retention / 2
	since := func(n uint32) (time.Time, bool) {
		at, ok := g.Since[n]
		return at, ok && at.Before(now.Add(future))
	}
	a := Age{Rotate: now}
	if at, ok := since(g.Current); ok {
		a.Rotate = at.Add(half)
	} else if _, a.Doubt = g.Since[g.Current]; a.Doubt {
		return a
	}
	numbers := g.Numbers()
	for i, n := range numbers {
		if i == 0 || n > g.Current {
			continue
		}
		at, ok := since(n)
		if !ok {
			continue
		}
		if a.Retire.IsZero() {
			a.Retire = at.Add(half) // the one before it
		}
		if before, ok := g.Since[numbers[i-1]]; ok && !at.After(before) {
			continue
		}
		if !at.Add(half).After(now) {
			a.Keep = n
		}
	}
	return a
}
