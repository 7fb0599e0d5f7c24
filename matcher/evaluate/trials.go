package evaluate

import "math"

// Trial is one comparison that was made.
type Trial struct {
	// Score is higher for more alike; what is not a number counts as lowest.
	Score float64
	// Probe and Reference number the subjects compared, from 0.
	Probe, Reference int
	// Forged says that somebody else imitated Reference: the trial is
	// non-mated although Probe and Reference are the same.
	Forged bool
}

// Trials reports on comparisons between known subjects, with bootstrap
// intervals over the subjects. Trials whose subjects differ are non-mated.
// It panics when a number is negative or beyond 32 bits. Nothing is changed or
// kept.
func Trials(modality string, trials []Trial) Report {
	outcomes := make([]outcome, len(trials))
	subjects := 0
	for i, t := range trials {
		if t.Probe < 0 || t.Reference < 0 || max(t.Probe, t.Reference) >= math.MaxInt32 {
			panic("evaluate: subject number out of range")
		}
		subjects = max(subjects, t.Probe+1, t.Reference+1)
		outcomes[i] = outcome{number(t.Score), int32(t.Probe), int32(t.Reference)}
		if t.Forged {
			outcomes[i].a, outcomes[i].b = int32(t.Reference), noSubject
		}
	}
	r := newSample(outcomes, subjects).report()
	r.Modality = modality
	r.Sets = []Report{}
	return r
}
