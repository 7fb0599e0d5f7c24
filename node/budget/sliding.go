package budget

import "time"

// Sliding counts in memory what a [Book] counts in rows, but for subjects: of a past that a ledger tells. It is for one
// goroutine; the zero value is not ready, make it.
type Sliding map[string]*window

// Count adds one Query, and says how many there were before and what the limits leave. Times must not go back.
func (s Sliding) Count(country, requester, officer, purpose string, l Limits, now time.Time) (c Counts) {
	for _, w := range []struct {
		name        string
		limit       int
		count, left *int
	}{
		{"requester\x00" + country, l.Requester, &c.Requester, &c.Left.Requester},
		{"officer\x00" + requester + "\x00" + officer, l.Officer, &c.Officer, &c.Left.Officer},
		{"purpose\x00" + country + "\x00" + purpose, l.Purpose, &c.Purpose, &c.Left.Purpose},
	} {
		if s[w.name] == nil {
			s[w.name] = new(window)
		}
		if *w.count = s[w.name].add(now, hour); w.limit > 0 {
			*w.left = max(w.limit-*w.count, 1)
		}
	}
	return c
}
