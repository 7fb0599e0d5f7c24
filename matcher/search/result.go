package search

import (
	"bytes"
	"fmt"
	"io"
	"log/slog"
	"math"
	"slices"
)

// ID is an opaque handle of a subject, for instance the first bytes of a
// pseudonym. It prints as a constant. Several references may share one: a
// subject appears once in a candidate list, with the best of its scores.
type ID [16]byte

// LogValue keeps the handle out of logs.
func (ID) LogValue() slog.Value { return slog.StringValue("subject(redacted)") }

// Format keeps the handle out of anything printed, whatever the verb.
func (ID) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "subject(redacted)") }

// Candidate is one entry of a candidate list. The score is on the scale of the
// modality's own package, the higher, the more alike.
type Candidate struct {
	ID    ID
	Score float64
}

// LogValue keeps scores out of logs: a score tied to a person is personal data.
func (Candidate) LogValue() slog.Value { return slog.StringValue("candidate(redacted)") }

// Format keeps scores out of anything printed, whatever the verb.
func (Candidate) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "candidate(redacted)") }

// Outcome says what a candidate list means.
type Outcome uint8

// The outcomes. The zero value claims nothing.
const (
	Incomplete     Outcome = iota // not every reference was compared: could not tell
	NoCandidate                   // every reference was compared and none reached the limit
	CandidatesOnly                // every reference was compared; the list is the best of those that did
)

// String names the outcome.
func (o Outcome) String() string {
	switch o {
	case NoCandidate:
		return "no candidate"
	case CandidatesOnly:
		return "candidates"
	}
	return "incomplete"
}

// Result is what a search found. Callers keep one and hand it to search after
// search: its memory is reused. Wipe it when done.
type Result struct {
	Outcome    Outcome
	Candidates []Candidate // best first; equal scores by ID
	Compared   int         // references looked at; of fingers, those at the position asked for
}

// Wipe overwrites the list, keeping its memory, and makes the result Incomplete.
func (r *Result) Wipe() {
	clear(r.Candidates[:cap(r.Candidates)])
	*r = Result{Candidates: r.Candidates[:0]}
}

// LogValue keeps the list out of logs.
func (Result) LogValue() slog.Value { return slog.StringValue("result(redacted)") }

// Format keeps the list out of anything printed, whatever the verb.
func (Result) Format(s fmt.State, _ rune) { _, _ = io.WriteString(s, "result(redacted)") }

// Options is what a search is asked for.
type Options struct {
	// Limit is the least score for a candidate, usually from [Limit]. Use
	// [Everyone] for the best whatever their scores, as in a closed-set test.
	Limit float64
	// Most is the length of the longest list wanted, 1 to [MaxCandidates].
	Most int
}

// MaxCandidates is the length of the longest candidate list.
const MaxCandidates = 1000

// Everyone is the limit that every reference reaches.
var Everyone = math.Inf(-1)

// Merge joins the results of searches over parts of a gallery into one, as a
// search over the whole would have given it. It is Incomplete when any part is,
// or when there are none. Most must be at least 1 and at most what each part was asked for.
func Merge(most int, into *Result, parts ...Result) {
	into.Wipe()
	list := best{limit: Everyone, most: most, list: into.Candidates}
	outcome := NoCandidate
	if len(parts) == 0 {
		outcome = Incomplete
	}
	for _, p := range parts {
		into.Compared += p.Compared
		if p.Outcome == Incomplete {
			outcome = Incomplete
		}
		for _, c := range p.Candidates {
			list.offer(c.ID, c.Score)
		}
	}
	into.Candidates = list.list
	into.Outcome = outcome
	if outcome == NoCandidate && len(list.list) > 0 {
		into.Outcome = CandidatesOnly
	}
}

// best is a candidate list in the making.
type best struct {
	limit float64
	most  int
	list  []Candidate // in order
}

func (b *best) reset(o Options) { b.limit, b.most, b.list = o.Limit, o.Most, b.list[:0] }

func (b *best) wipe() {
	clear(b.list[:cap(b.list)])
	b.list = b.list[:0]
}

// floor is the score under which nothing can enter the list any more. At it,
// the identifier decides.
func (b *best) floor() float64 {
	if len(b.list) < b.most {
		return b.limit
	}
	return b.list[len(b.list)-1].Score
}

// order puts better candidates first.
func order(a, b Candidate) int {
	switch {
	case a.Score > b.Score:
		return -1
	case a.Score < b.Score:
		return 1
	}
	return bytes.Compare(a.ID[:], b.ID[:])
}

// offer enters a candidate if it is good enough and its subject is not in the
// list with a better score, and says whether the list has changed.
func (b *best) offer(id ID, score float64) bool {
	if !(score >= b.floor()) {
		return false
	}
	c := Candidate{id, score}
	for i := range b.list {
		if b.list[i].ID != id {
			continue
		}
		if b.list[i].Score >= score {
			return false
		}
		b.list = slices.Delete(b.list, i, i+1)
		break
	}
	at, _ := slices.BinarySearchFunc(b.list, c, order)
	if at >= b.most {
		return false
	}
	if len(b.list) >= b.most {
		b.list = b.list[:b.most-1]
	}
	b.list = slices.Insert(b.list, at, c)
	return true
}
