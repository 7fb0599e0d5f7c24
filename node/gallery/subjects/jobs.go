package subjects

import (
	"context"
	"errors"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
)

// MaxCommit bounds one transaction.
const MaxCommit = store.MaxUpdate / 2

// MaxSubject keeps the records of one subject inside a commit.
const MaxSubject = 512 << 10

// Job is a change of one subject, which shares a commit with others.
type Job interface {
	// Before says what is known before the turn: which rows Stage reads, an estimate of
	// what it writes, and the rule that the job breaks, with which it is not staged.
	Before() (rows [][]byte, size int, broken error)
	// Stage works out what the numbered commit writes. It reads through txn, so that a
	// subject may occur several times in a commit; it may be called again when a commit is.
	Stage(txn store.Reader, number uint32) (Staged, error)
	// Stands tells, once the commit is on disk, that what Stage worked out last is as well,
	// or why the job changed nothing.
	Stands(err error)
}

// Staged is what one job writes; the zero value is nothing.
type Staged struct {
	From   pseudonym.Pseudonym // where the subject lay before, and
	To     pseudonym.Pseudonym // lies after it
	Was    keyring.Stamp       // what the subject had before, and
	Is     keyring.Stamp       // has after it, when anything is written
	Writes []commit.Write
	Drops  [][]byte
}

// Change is a change of the subject that the numbered commit makes: writes, the two entries, and
// the row that says which consent holds it, so that one that was lost comes back.
func (ss *Set) Change(s keyring.Subject, number uint32, writes []commit.Write) (Staged, error) {
	now := s.Stamp.By(number)
	k, err := ss.Vault.Seal(s, now)
	if err != nil {
		return Staged{}, err
	}
	for _, row := range ss.Vault.ConsentRows(s.List.Consent, s.P) {
		writes = append(writes, commit.Write{Key: row, Value: []byte{1}})
	}
	return Staged{From: s.P, To: s.P, Was: s.Stamp, Is: now,
		Writes: append(writes,
			commit.Write{Key: keyring.Row(s.P), Value: k}, commit.Write{Key: keyring.StampRow(s.P), Value: now.Bytes()})}, nil
}

// Put stages it in a bundle.
func (x Staged) Put(b *commit.Bundle) error {
	for _, w := range x.Writes {
		if err := b.Set(w); err != nil {
			return err
		}
	}
	for _, key := range x.Drops {
		if err := b.Drop(key); err != nil {
			return err
		}
	}
	b.Restamp(x.From, x.Was, x.To, x.Is)
	return nil
}

// call is what one caller wants committed at once. The error belongs to who commits it
// until it is done.
type call struct {
	jobs []Job
	err  error // of a subject that is damaged
}

// Await returns when jobs that come to a size are committed: see [commit.Queue.Await]. The
// error is not nil when a subject is damaged, too; the jobs are told what stands.
func (ss *Set) Await(ctx context.Context, jobs []Job, size int) error {
	c := &call{jobs: jobs}
	err := ss.queue.Await(ctx, c, size)
	if c.err == nil {
		return err
	}
	return errors.Join(c.err, err)
}

// Waiting is how many calls nobody has taken yet.
func (ss *Set) Waiting() int { return ss.queue.Waiting() }

// Closing reports whether Close has begun.
func (ss *Set) Closing() bool { return ss.queue.Closed() }

// commit stores the calls' jobs in one update, or several when they prove larger
// than their estimate. The caller has the turn.
func (ss *Set) commit(calls []*call) error {
	type place struct {
		c   *call
		job Job
	}
	var left []place
	for _, c := range calls {
		for _, job := range c.jobs {
			left = append(left, place{c, job})
		}
	}
	for len(left) > 0 {
		var taken int
		keys := [][]byte{keyLeast(LeastTemplates), keyLeast(LeastKEK)}
		for _, at := range left {
			rows, _, _ := at.job.Before()
			keys = append(keys, rows...)
		}
		err := ss.Line.Update(keys, func(b *commit.Bundle) error {
			if err := errors.Join(ss.catchUp(b.Txn), ss.note(b)); err != nil {
				return err
			}
			for taken = 0; taken < len(left); taken++ {
				at := left[taken]
				if _, size, _ := at.job.Before(); b.Size() > 0 && b.Size()+size+keyring.MaxRow > MaxCommit {
					return nil
				}
				broken, err := ss.add(b, at.job)
				if err != nil {
					return err
				}
				if errors.Is(broken, store.ErrDamaged) {
					at.c.err = broken
				}
				b.Then(func() { at.job.Stands(broken) })
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

// add stages one job. The first error is the job's own, the second the store's.
func (ss *Set) add(b *commit.Bundle, j Job) (broken, err error) {
	if _, _, broken = j.Before(); broken != nil {
		return broken, nil
	}
	x, err := j.Stage(b.Txn, b.Commit())
	if errors.Is(err, store.ErrUnavailable) {
		return nil, err
	}
	if err != nil {
		return err, nil
	}
	return nil, x.Put(b)
}

// errPlanned keeps a plan out of the store.
var errPlanned = errors.New("only planned")

// Plan stages jobs as a commit would, tells them, and drops it.
func (ss *Set) Plan(ctx context.Context, jobs []Job) error {
	err := ss.Line.InTurn(ctx, func() error {
		return ss.Line.Update(nil, func(b *commit.Bundle) error {
			for _, j := range jobs {
				broken, err := ss.add(b, j)
				if err != nil {
					return err
				}
				j.Stands(broken)
			}
			return errPlanned
		})
	})
	if errors.Is(err, errPlanned) {
		err = nil
	}
	return err
}
