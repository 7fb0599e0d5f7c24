package gallery

import (
	"context"
	"errors"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// call is what one Enrol wants committed at once. The results and err belong to who commits
// it until it is done.
type call struct {
	jobs    []job
	size    int
	results []Result // of the jobs
	err     error    // of a subject that is damaged
}

// job is an Enrolment with what was worked out before the turn, or the wish to have
// a subject's key wrapped anew.
type job struct {
	e      Enrolment
	p      pseudonym.Pseudonym
	who    naming.Named // whom an Enrolment is of
	err    error        // the rule it breaks
	rewrap bool         // p alone counts
	rename bool         // p alone counts

	// stored is what the templates come to; nil until Enrol prepared the job. Wipe it.
	stored []protected
	renew  bool // p alone counts
}

// pseudonyms are those that the job looks for.
func (j *job) pseudonyms() []pseudonym.Pseudonym {
	if j.who.Keys == nil {
		return []pseudonym.Pseudonym{j.p}
	}
	return j.who.Pseudonyms()
}

// size estimates what the job writes.
func (j *job) size() int {
	if j.renew {
		return maxSubject
	}
	return j.e.size()
}

// await returns when c is committed: see [commit.Queue.Await].
func (g *Gallery) await(ctx context.Context, c *call) error {
	err := g.queue.Await(ctx, c, c.size)
	if c.err == nil {
		return err
	}
	return errors.Join(c.err, err)
}

// commit stores the calls' jobs in one update, or several when they prove larger
// than their estimate. The caller has the turn.
func (g *Gallery) commit(calls []*call) error {
	type place struct {
		c *call
		i int
	}
	var left []place
	for _, c := range calls {
		for i := range c.jobs {
			left = append(left, place{c, i})
		}
	}
	for len(left) > 0 {
		var taken int
		keys := [][]byte{keyLeast(leastProtection), keyLeast(leastKEK)}
		var last string
		for _, at := range left {
			job := &at.c.jobs[at.i]
			for _, p := range job.pseudonyms() {
				keys = append(keys, keyring.StampRow(p), keyring.Row(p))
			}
			if batch := job.e.Batch; batch != "" && batch != last {
				keys, last = append(keys, g.batchKey(batch)), batch
			}
		}
		err := g.line.Update(keys, func(b *commit.Bundle) error {
			if err := errors.Join(g.catchUp(b.Txn), g.note(b)); err != nil {
				return err
			}
			for taken = 0; taken < len(left); taken++ {
				at := left[taken]
				job := &at.c.jobs[at.i]
				if b.Size() > 0 && b.Size()+job.size()+maxKeyring > maxCommit {
					return nil
				}
				r, err := g.add(b, job)
				if err != nil {
					return err
				}
				if errors.Is(r.Err, ErrDamaged) {
					at.c.err = r.Err
				}
				b.Then(func() { at.c.results[at.i] = r })
			}
			return nil
		})
		if err != nil {
			return err
		}
		left = left[taken:]
	}
	return nil
}

// add stages one job. The error is the store's; the job's own is in the Result.
func (g *Gallery) add(b *commit.Bundle, j *job) (Result, error) {
	if j.err != nil {
		return Result{Failed, j.err}, nil
	}
	s, err := g.stage(b.Txn, b.Commit(), j)
	if errors.Is(err, store.ErrUnavailable) {
		return Result{}, err
	}
	if err != nil {
		return Result{Failed, err}, nil
	}
	if err := stageAll(b, s); err != nil {
		return Result{}, err
	}
	return Result{Change: s.change}, nil
}

// stageAll stages what a job comes to.
func stageAll(b *commit.Bundle, s staged) error {
	for _, w := range s.writes {
		if err := b.Set(w); err != nil {
			return err
		}
	}
	for _, key := range s.drops {
		if err := b.Drop(key); err != nil {
			return err
		}
	}
	b.Restamp(s.from, s.was, s.to, s.is)
	return nil
}
