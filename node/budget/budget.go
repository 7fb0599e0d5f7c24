// Package budget counts Queries, so that nobody can try people or probes one after the
// other: by requester, by officer's pseudonym, for a purpose and about a subject, in
// sliding windows that survive a restart and that all nodes of a store share. A requester is
// a country with all of its nodes: it can set up as many below its own as it likes.
//
// [New], then [Book.Begin] when it is known whom a Query is about, before anything is
// compared, and [Book.End] with what came of it. What is refused is counted, too, in the window
// that refuses it and those before it: requester, officer, purpose, subject. Who has spent his
// own takes nothing of what others share with him, and leaves no row of people or officers that
// he makes up.
//
// A window slides in twelfths: a count is of between eleven twelfths of it and the whole.
//
// Of probes are kept, per requester and subject, sealed under the node's keys and for Limits.Probes
// or a day, whichever is longer, the marks of package resemblance, by which the same probe is told again, and one that was
// changed a little.
//
// Invariants:
//
//   - an Update that failed permits nothing;
//   - a clock that went back permits nothing that was spent before: counts, locks and marks stay, and are
//     kept for as long as they were to be. One that went forward and came back has forgotten what would
//     have been over by then;
//   - a run of Queries about a subject without a match locks it for that requester, whether
//     or not anybody is enrolled, so that a lock says nothing about the register.
package budget

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/federation/policy"
	"github.com/tamga-id/tamga/node/resemblance"
	"github.com/tamga-id/tamga/node/rows"
)

// Why a Query is refused. Every other error says that it cannot be told.
var (
	ErrSpent    = errors.New("there were as many Queries as are allowed")
	ErrRepeated = errors.New("the probe was sent about this subject before")
)

// Limits are how many Queries there may be; 0 is no limit.
type Limits struct {
	Requester int // by one country in an hour
	Officer   int // by one officer of a node in an hour
	Purpose   int // by one country for one purpose in an hour
	Subject   int // about one subject in a day
	// Misses is how many Queries of a country about a subject may end without a match, one
	// after the other, before the subject is locked for that country for a day.
	Misses int
	// Probes is for how long the same probe, or nearly the same, is refused.
	Probes time.Duration
}

// Counts are of what was before this Query.
type Counts struct {
	Requester, Officer, Purpose, Subject, Misses int
	// Left is what the limits leave, this Query included.
	Left Left
}

// Law is what a law sees of them.
func (c Counts) Law() policy.Counts {
	return policy.Counts{ByOfficer: int64(c.Officer), ByRequester: int64(c.Requester), AboutSubject: int64(c.Subject), ForPurpose: int64(c.Purpose),
		NearMisses: int64(c.Misses), LeftByOfficer: int64(c.Left.Officer), LeftByRequester: int64(c.Left.Requester),
		LeftAboutSubject: int64(c.Left.Subject), LeftForPurpose: int64(c.Left.Purpose)}
}

// Left is at least 1 of each, and 0 where there is no limit.
type Left struct{ Requester, Officer, Purpose, Subject int }

// Ask is a Query that is about to be decided.
type Ask struct {
	Country                     string               // of the requester, as its trust chain says
	Requester, Officer, Purpose string               // the node that asks; its officers' pseudonyms are its own
	Subject                     pseudonym.Identifier // normalised
	Probes                      []Probe              // only read
}

// Searching begins Country and Requester of an Ask that is about everybody: its windows are apart from those of Queries
// about one person.
const Searching = "search\x00"

// Probe is a record in one of the formats of protocol.
type Probe struct {
	Format string
	Data   []byte
}

// Book is what is counted. It is safe for concurrent use.
type Book struct {
	// Immutable.
	rows   *rows.Rows
	limits Limits
	marker *resemblance.Marker
}

// New opens the book in rows. The key is the node's, for marks of probes.
func New(r *rows.Rows, key [32]byte, l Limits) *Book { return &Book{r, l, resemblance.New(key)} }

const (
	twelfths  = 12
	hour, day = time.Hour, 24 * time.Hour
	// lockTime is for how long a subject is locked, and a run of misses counts.
	lockTime = day
	// maxMarks is how many marks of probes are kept of a requester and subject, the latest: of four Queries of ten records
	// of 16 fingers, or of 44 that have ten fingers each. All of a Query are kept, since what would not be could be sent again.
	maxMarks = 4 * 10 * (1 + 2*16)
)

// window is one counter.
type window struct {
	Until   int64            `cbor:"1,keyasint"` // when the row may be forgotten, seconds
	Start   int64            `cbor:"2,keyasint"` // number of the first twelfth since 1970
	Buckets [twelfths]uint32 `cbor:"3,keyasint"`
}

// add slides the window to now, and returns how many there were before one more.
func (w *window) add(now time.Time, length time.Duration) (before int) {
	at := now.UnixNano() / int64(length/twelfths)
	if first := at - twelfths + 1; first > w.Start {
		shift := min(first-w.Start, twelfths)
		copy(w.Buckets[:], w.Buckets[shift:])
		clear(w.Buckets[twelfths-shift:])
		w.Start = first
	}
	for _, n := range w.Buckets {
		before += int(n)
	}
	// A clock that went back counts in the first twelfth.
	w.Buckets[min(max(at-w.Start, 0), twelfths-1)]++
	// Never earlier than before: of a clock that went back the counts of the time before it are kept.
	w.Until = max(w.Until, now.Add(length).Unix())
	return before
}

// pair is what is kept of a requester and a subject.
type pair struct {
	Until  int64  `cbor:"1,keyasint"`
	Misses int    `cbor:"2,keyasint"`
	Last   int64  `cbor:"3,keyasint"` // when the last miss was
	Locked int64  `cbor:"4,keyasint"` // until when
	Marks  []mark `cbor:"6,keyasint"`
}

type mark struct {
	At   int64            `cbor:"1,keyasint"`
	Mark resemblance.Mark `cbor:"2,keyasint"`
}

func read(t rows.Txn, name string, v any) error {
	b, err := t.Get(rows.Budgets, []byte(name))
	if errors.Is(err, rows.ErrNone) {
		return nil
	}
	if err != nil {
		return err
	}
	return cbor.Unmarshal(b, v)
}

func write(t rows.Txn, name string, v any) error {
	b, err := cbor.Marshal(v)
	if err == nil {
		t.Set(rows.Budgets, []byte(name), b)
	}
	return err
}

func (a Ask) subject() string {
	return a.Subject.Jurisdiction + "\x00" + a.Subject.Type + "\x00" + a.Subject.Value
}

func (a Ask) pair() string { return "pair\x00" + a.Country + "\x00" + a.subject() }

// Begin counts a Query, and says how many there were before and whether the subject is
// locked for the requester: then it is to be decided like any other, and the answer
// withheld, so that a lock is not told by its time. Errors match [ErrSpent] and [ErrRepeated].
func (b *Book) Begin(a Ask, now time.Time) (c Counts, locked bool, err error) {
	var refused error
	marks := b.marks(a.Probes)
	err = b.rows.Update(func(t rows.Txn) (err error) {
		for _, w := range []struct {
			name   string
			length time.Duration
			limit  int
			count  *int
			left   *int
		}{
			{"requester\x00" + a.Country, hour, b.limits.Requester, &c.Requester, &c.Left.Requester},
			{"officer\x00" + a.Requester + "\x00" + a.Officer, hour, b.limits.Officer, &c.Officer, &c.Left.Officer},
			{"purpose\x00" + a.Country + "\x00" + a.Purpose, hour, b.limits.Purpose, &c.Purpose, &c.Left.Purpose},
			{"subject\x00" + a.subject(), day, b.limits.Subject, &c.Subject, &c.Left.Subject},
		} {
			var v window
			if err := read(t, w.name, &v); err != nil {
				return err
			}
			*w.count = v.add(now, w.length)
			if err := write(t, w.name, v); err != nil {
				return err
			}
			if w.limit > 0 && *w.count >= w.limit {
				refused = ErrSpent
				return nil
			}
			if w.limit > 0 {
				*w.left = w.limit - *w.count
			}
		}
		var p pair
		if err := read(t, a.pair(), &p); err != nil {
			return err
		}
		locked = now.Unix() < p.Locked
		if now.Sub(time.Unix(p.Last, 0)) < lockTime {
			c.Misses = p.Misses
		}
		if b.limits.Probes > 0 {
			if b.repeated(&p, marks, now) {
				refused = ErrRepeated
			}
			p.Until = max(p.Until, now.Add(max(b.limits.Probes, lockTime)).Unix())
			return write(t, a.pair(), p)
		}
		return nil
	})
	if err == nil {
		err = refused
	}
	if err != nil {
		return c, false, fmt.Errorf("counting query: %w", err)
	}
	return c, locked, nil
}

// End says what came of a Query that Begin let through; it reports whether the subject is
// locked for the requester from now on, and whether it was before: then, too, the answer is
// to be withheld. Without a limit of misses they are counted all the same, for law. Of Queries that come all at once, none of which Begin could see the lock
// of, only as many are answered as may miss.
func (b *Book) End(a Ask, matched bool, now time.Time) (locks, locked bool, err error) {
	err = b.rows.Update(func(t rows.Txn) error {
		var p pair
		if err := read(t, a.pair(), &p); err != nil {
			return err
		}
		locked = now.Unix() < p.Locked
		switch {
		case matched && !locked: // whoever is locked out does not open it by a match that he is not told
			p.Misses = 0
		case !matched:
			if now.Sub(time.Unix(p.Last, 0)) >= lockTime {
				p.Misses = 0
			}
			p.Misses, p.Last = p.Misses+1, now.Unix()
			if locks = b.limits.Misses > 0 && p.Misses >= b.limits.Misses && !locked; locks {
				p.Locked = now.Add(lockTime).Unix()
			}
		}
		p.Until = max(p.Until, now.Add(lockTime).Unix())
		return write(t, a.pair(), p)
	})
	if err != nil {
		return false, false, fmt.Errorf("counting what came of a query: %w", err)
	}
	return locks, locked, nil
}

// marks are those of all probes, which takes too long for a commit that others wait for.
func (b *Book) marks(probes []Probe) (out []resemblance.Mark) {
	if b.limits.Probes == 0 {
		return nil
	}
	for _, p := range probes {
		out = append(out, b.marker.Marks(p.Format, p.Data)...)
	}
	return out
}

// repeated reports whether one of the probes was there, or one like it, and keeps them all.
func (b *Book) repeated(p *pair, marks []resemblance.Mark, now time.Time) (is bool) {
	oldest := now.Add(-b.limits.Probes).Unix()
	p.Marks = slices.DeleteFunc(p.Marks, func(m mark) bool { return m.At <= oldest })
	for _, one := range marks {
		is = is || slices.ContainsFunc(p.Marks, func(old mark) bool { return resemblance.Alike(old.Mark, one) })
	}
	for _, one := range marks {
		p.Marks = append(p.Marks, mark{now.Unix(), one})
	}
	p.Marks = p.Marks[max(0, len(p.Marks)-maxMarks):]
	return is
}

// Forget removes what counts no more, and returns how many rows that were.
func (b *Book) Forget(now time.Time) (gone int, err error) {
	gone, err = b.rows.Forget(rows.Budgets, func(value []byte) (bool, error) {
		var until struct {
			Until int64 `cbor:"1,keyasint"`
		}
		err := cbor.Unmarshal(value, &until)
		return err == nil && until.Until < now.Unix(), err
	})
	if err != nil {
		return 0, fmt.Errorf("forgetting counts: %w", err)
	}
	return gone, nil
}
