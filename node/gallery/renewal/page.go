package renewal

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// maxRenew bounds how many subjects one commit renews, so that enrolments do not wait long.
const maxRenew = 64

// keyringAlone is about what a job writes besides the keyring.
const keyringAlone = 512

// staging works out what a commit writes of one subject.
type staging func(txn store.Reader, number uint32, p pseudonym.Pseudonym) (subjects.Staged, error)

// job is the renewal of one subject.
type job struct {
	p     pseudonym.Pseudonym
	size  int
	stage staging

	// They belong to who commits it until it is done.
	done bool // err tells how it ended
	err  error
}

var _ subjects.Job = (*job)(nil)

// Before is what the job reads and about what it writes.
func (j *job) Before() (rows [][]byte, size int, broken error) {
	return [][]byte{keyring.StampRow(j.p), keyring.Row(j.p)}, j.size, nil
}

// Stage works out what the renewal writes.
func (j *job) Stage(txn store.Reader, number uint32) (subjects.Staged, error) {
	return j.stage(txn, number, j.p)
}

// Stands notes how the job ended.
func (j *job) Stands(err error) { j.done, j.err = true, err }

// await commits the renewal of some subjects, who come to a size together and each to
// another. The jobs say how they ended.
func await(ctx context.Context, ss *subjects.Set, found []pseudonym.Pseudonym, together, each int, stage staging) ([]*job, error) {
	if len(found) == 0 {
		return nil, nil
	}
	jobs, all := make([]*job, len(found)), make([]subjects.Job, len(found))
	for i, p := range found {
		jobs[i] = &job{p: p, size: each, stage: stage}
		all[i] = jobs[i]
	}
	return jobs, ss.Await(ctx, all, together)
}

// gone reports that the subject was erased meanwhile.
func (j *job) gone() bool { return errors.Is(j.err, keyring.ErrUnknown) }

// page is who of the next subjects has something to be renewed.
type page struct {
	found  []pseudonym.Pseudonym
	looked uint64
	last   []byte // the key to go on after; nil at the end
	broken error  // of subjects that could not be read
}

// look looks at subjects after a key, and takes those that see finds.
func look(ss *subjects.Set, after []byte, see func(store.Reader, store.Row, *page) (pseudonym.Pseudonym, bool, error)) (next page, err error) {
	err = ss.Line.View(func(txn store.Reader) error {
		for row, err := range txn.Scan([]byte("k"), after) {
			if err != nil {
				return err
			}
			if len(next.found) == maxRenew || next.looked == subjects.MaxLooked {
				return nil
			}
			next.last = bytes.Clone(row.Key)
			next.looked++
			row.Key = next.last
			p, is, err := see(txn, row, &next)
			if err != nil {
				return err
			}
			if is {
				next.found = append(next.found, p)
			}
		}
		next.last = nil
		return nil
	})
	return next, err
}

// subjectOf is whose keyring has this key.
func subjectOf(key []byte) (pseudonym.Pseudonym, error) {
	if len(key) != 1+len(pseudonym.Pseudonym{}) {
		return pseudonym.Pseudonym{}, fmt.Errorf("reading keyring: %w: key of the wrong length", store.ErrDamaged)
	}
	return pseudonym.Pseudonym(key[1:]), nil
}
