package protocol

// Outcome is what a verification ended in. The zero value is no outcome at all
// and must be treated as "not accepted".
type Outcome string

// The five outcomes. "No" (NotMatched), "could not tell" (Inconclusive,
// Unavailable) and "will not say" (Refused) are never merged.
const (
	Matched      Outcome = "matched"
	NotMatched   Outcome = "not_matched"
	Inconclusive Outcome = "inconclusive"
	Refused      Outcome = "refused"
	Unavailable  Outcome = "unavailable"
)

// Accepted reports whether the traveller was shown to be who the document says.
// It is true for Matched alone.
func (o Outcome) Accepted() bool { return o == Matched }

// Valid reports whether o is one of the five outcomes.
func (o Outcome) Valid() bool {
	switch o {
	case Matched, NotMatched, Inconclusive, Refused, Unavailable:
		return true
	}
	return false
}
