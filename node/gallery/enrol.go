package gallery

import (
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// Change says what enrolling one Enrolment did.
type Change string

// What an enrolment can do. A failed one changed nothing.
const (
	Created   Change = "created"   // a new subject
	Updated   Change = "updated"   // records or a holder key added to a known subject
	Unchanged Change = "unchanged" // everything was there already
	Kept      Change = "kept"      // it would have changed a known subject and was to keep it
	Failed    Change = "failed"
)

// Result is the outcome of one Enrolment of a batch.
type Result struct {
	Change Change
	Err    error // the rule that was broken, when Failed
}

// Rules an Enrolment can break.
var (
	ErrHolderConflict = errors.New("the subject has another holder key")
	ErrTooMuch        = errors.New("more records, or larger ones, than a subject may have")
	ErrGround         = errors.New("the subject is held on another ground, or by another consent: erase it first")
	ErrNothing        = errors.New("the enrolment carries no record")
	ErrKnown          = errors.New("the subject is enrolled already, with other records")
	ErrErased         = errors.New("the subject was erased after this import began")
)

// errNotReached is the result of what a batch that ended early left undone.
var errNotReached = errors.New("not reached")

const (
	// maxCall bounds how many Enrolments are prepared before they are committed,
	// and by that how long others wait for the turn.
	maxCall = 256
)

// Enrol stores a batch in as few synced commits as it fits into, and concurrent
// calls share them; a result other than Failed stands on disk. An Enrolment that
// breaks a rule, or whose subject is damaged, changes nothing and the others are
// stored. The error is not nil when a subject is damaged, the store fails or ctx
// ends; the results then say which enrolments stand. The caller keeps the batch
// and must not change it before Enrol returns.
func (g *Gallery) Enrol(ctx context.Context, batch []Enrolment) ([]Result, error) {
	results := make([]Result, len(batch))
	for i := range results {
		results[i] = Result{Failed, errNotReached}
	}
	for start := 0; start < len(batch); {
		jobs, size, err := g.prepare(ctx, batch[start:], results[start:])
		if err != nil {
			return results, fmt.Errorf("enrolling: %w", err)
		}
		err = g.set.Await(ctx, jobs.all(), size)
		jobs.wipe()
		if err != nil {
			return results, fmt.Errorf("enrolling: %w", err)
		}
		start += len(jobs)
	}
	return results, nil
}

// prepare does for the head of a batch what needs no turn; above all the pseudonyms,
// which cost more than everything else. The jobs, which come to a size, write their results.
func (g *Gallery) prepare(ctx context.Context, batch []Enrolment, results []Result) (all jobs, size int, err error) {
	for i, e := range batch {
		n := e.size()
		if len(all) == maxCall || len(all) > 0 && size+n > subjects.MaxCommit {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, 0, err
		}
		j := &job{g: g, e: e, err: e.check(), result: &results[i]}
		if j.err == nil {
			size += n
		}
		all = append(all, j)
	}
	all.work()
	return all, size, nil
}

// Plan says what Enrol would do with the batch now, and changes nothing. Enrolments
// of one subject see each other within 256, the number that share a commit.
func (g *Gallery) Plan(ctx context.Context, batch []Enrolment) ([]Result, error) {
	results := make([]Result, len(batch))
	for start := 0; start < len(batch); {
		jobs, _, err := g.prepare(ctx, batch[start:], results[start:])
		if err != nil {
			return nil, fmt.Errorf("planning: %w", err)
		}
		err = g.set.Plan(ctx, jobs.all())
		jobs.wipe()
		if err != nil {
			return nil, fmt.Errorf("planning: %w", err)
		}
		start += len(jobs)
	}
	return results, nil
}

// size estimates what storing e writes.
func (e Enrolment) size() int {
	n := 512
	for _, t := range e.Templates {
		n += len(t.Data) + 256
	}
	return n
}

func (e Enrolment) check() error {
	if len(e.Templates) == 0 && len(e.Absences) == 0 {
		return ErrNothing
	}
	if len(e.Templates) > MaxRecords || e.size() > subjects.MaxSubject || len(e.Holder) > maxHolder ||
		len(e.Absences) > keyring.MaxAbsences || len(e.Batch) > keyring.MaxName || len(e.Class) > keyring.MaxName {
		return ErrTooMuch
	}
	for _, a := range e.Absences {
		if len(a.Modality) > keyring.MaxName || len(a.Reason) > keyring.MaxName {
			return ErrTooMuch
		}
	}
	for _, t := range e.Templates {
		if len(t.Data) == 0 || len(t.Data) > MaxRecordSize {
			return ErrTooMuch
		}
	}
	return nil
}
