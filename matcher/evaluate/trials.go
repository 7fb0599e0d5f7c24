package evaluate

import (
	"context"
	"math"

	"github.com/tamga-id/tamga/matcher/internal/errorrate"
)

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
// It panics when a number is negative or beyond 31 bits. Nothing is changed or
// kept. Use [Pairs] where captures are all compared with each other: it needs
// less memory and tells about identification and groups too.
func Trials(modality string, trials []Trial) Report {
	return trialsReport(modality, trials, nil, nil)
}

// trialsReport adds differentials of the subjects, which are named by number.
func trialsReport(modality string, trials []Trial, subjects []string, groups []Grouping) Report {
	s := trialsSample(trials)
	r := reportOf(s.Curve())
	if each, _, err := bootstrap(context.Background(), []*errorrate.Sample{s}, []Report{r}); err == nil {
		r.setIntervals(each[0])
	}
	r.Modality = modality
	r.Sets = []Report{}
	if len(subjects) == s.Subjects {
		r.Groups = differentials(s, r.OperatingPoints, subjects, groups)
	}
	return r
}

func trialsSample(trials []Trial) *errorrate.Sample {
	t := errorrate.NewTally(math.MaxInt32)
	subjects := 0
	for _, trial := range trials {
		if trial.Probe < 0 || trial.Reference < 0 || max(trial.Probe, trial.Reference) >= math.MaxInt32 {
			panic("evaluate: subject number out of range")
		}
		subjects = max(subjects, trial.Probe+1, trial.Reference+1)
		o := errorrate.Outcome{Score: errorrate.Number(trial.Score), A: int32(trial.Probe), B: int32(trial.Reference)}
		if trial.Forged {
			o.A, o.B = int32(trial.Reference), errorrate.NoSubject
		}
		t.Add(o)
	}
	return errorrate.NewSample(t, subjects, nil)
}
