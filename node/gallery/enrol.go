package gallery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
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

// errPlanned keeps a plan out of the store.
var errPlanned = errors.New("only planned")

// errNotReached is the result of what a batch that ended early left undone.
var errNotReached = errors.New("not reached")

const (
	// maxCommit bounds one transaction, and maxSubject keeps any one Enrolment inside
	// it.
	maxCommit  = store.MaxUpdate / 2
	maxSubject = 512 << 10
	// maxKeyring is more than the list of MaxRecords records takes, each with its
	// digest and names of the length that envelope allows.
	maxKeyring = MaxRecords*(320+maxName) + maxAbsences*(3*maxName+16) + 1024
	// maxAbsences is one for every finger, and room for other modalities.
	maxAbsences = 16
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
		c, err := g.prepare(ctx, batch[start:])
		if err != nil {
			return results, fmt.Errorf("enrolling: %w", err)
		}
		c.results = results[start : start+len(c.jobs)]
		err = g.await(ctx, c)
		wipe(c.jobs)
		if err != nil {
			return results, fmt.Errorf("enrolling: %w", err)
		}
		start += len(c.jobs)
	}
	return results, nil
}

// prepare does for the head of a batch what needs no turn; above all the pseudonyms,
// which cost more than everything else.
func (g *Gallery) prepare(ctx context.Context, batch []Enrolment) (*call, error) {
	c := &call{}
	for _, e := range batch {
		size := e.size()
		if n := len(c.jobs); n == maxCall || n > 0 && c.size+size > maxCommit {
			break
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		j := job{e: e, err: e.check()}
		if j.err == nil {
			c.size += size
		}
		c.jobs = append(c.jobs, j)
	}
	g.work(c.jobs)
	return c, nil
}

// work computes the pseudonyms of jobs, and what their templates come to, on every
// processor.
func (g *Gallery) work(jobs []job) {
	var all sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(jobs))
	for w := range workers {
		all.Go(func() {
			for i := w; i < len(jobs); i += workers {
				if j := &jobs[i]; j.err == nil {
					j.who, j.err = g.nameOf(j.e.Subject)
				}
				if j := &jobs[i]; j.err == nil {
					j.err = g.protectAll(j)
				}
			}
		})
	}
	all.Wait()
}

// Plan says what Enrol would do with the batch now, and changes nothing. Enrolments
// of one subject see each other within 256, the number that share a commit.
func (g *Gallery) Plan(ctx context.Context, batch []Enrolment) ([]Result, error) {
	results := make([]Result, 0, len(batch))
	for len(results) < len(batch) {
		c, err := g.prepare(ctx, batch[len(results):])
		if err != nil {
			return nil, fmt.Errorf("planning: %w", err)
		}
		planned, err := g.plan(ctx, c.jobs)
		wipe(c.jobs)
		if err != nil {
			return nil, fmt.Errorf("planning: %w", err)
		}
		results = append(results, planned...)
	}
	return results, nil
}

// plan stages jobs as a commit would and drops it.
func (g *Gallery) plan(ctx context.Context, jobs []job) (out []Result, err error) {
	err = g.line.InTurn(ctx, func() error {
		return g.line.Update(nil, func(b *commit.Bundle) error {
			out = nil
			for i := range jobs {
				r, err := g.add(b, &jobs[i])
				if err != nil {
					return err
				}
				out = append(out, r)
			}
			return errPlanned
		})
	})
	if errors.Is(err, errPlanned) {
		err = nil
	}
	return out, err
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
	if len(e.Templates) > MaxRecords || e.size() > maxSubject || len(e.Holder) > maxHolder ||
		len(e.Absences) > maxAbsences || len(e.Batch) > maxName || len(e.Class) > maxName {
		return ErrTooMuch
	}
	for _, a := range e.Absences {
		if len(a.Modality) > maxName || len(a.Reason) > maxName {
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

// staged is what enrolling one job writes.
type staged struct {
	change Change
	from   pseudonym.Pseudonym // where the subject lay before, and
	to     pseudonym.Pseudonym // lies after it
	was    keyring.Stamp       // what the subject had before, and
	is     keyring.Stamp       // has after it, when anything is written
	writes []commit.Write
	drops  [][]byte
}

// stage works out what a job writes, or the rule it breaks. It reads through txn,
// so that a subject may occur several times in a commit.
func (g *Gallery) stage(txn store.Reader, number uint32, j *job) (staged, error) {
	if j.rewrap {
		return g.stageRewrap(txn, number, j.p)
	}
	if j.renew {
		return g.stageRenew(txn, number, j.p)
	}
	if err := g.upToDate(txn, j); err != nil {
		return staged{}, err
	}
	if j.rename {
		return g.stageRename(txn, number, j.p)
	}
	if !g.isCurrent(j.who) {
		who, err := g.nameOf(j.e.Subject)
		if err != nil {
			return staged{}, err
		}
		j.who = who
	}
	s, change, err := g.loadOrMake(txn, j.who)
	if err != nil {
		return staged{}, err
	}
	defer s.Wipe()
	if j.e.Holder != "" && s.List.Holder != "" && j.e.Holder != s.List.Holder {
		return staged{}, ErrHolderConflict
	}
	if change == Created {
		s.List.Consent = j.e.Consent
	} else if s.List.Consent != j.e.Consent {
		return staged{}, ErrGround
	}
	known := change != Created && !s.List.Only(j.e.Batch)
	fresh := change == Created
	if s.List.Holder == "" && j.e.Holder != "" {
		s.List.Holder, s.List.Batch, fresh = j.e.Holder, j.e.Batch, true
	}
	if j.e.Class != "" && j.e.Class != s.List.Class {
		s.List.Class, fresh = j.e.Class, true
	}
	writes, err := g.stageRecords(txn, &s, j)
	if err != nil {
		return staged{}, err
	}
	added := s.List.AddAbsences(j.e.Absences, j.e.Batch)
	switch {
	case len(s.List.Absent) > maxAbsences:
		return staged{}, ErrTooMuch
	case !fresh && !added && len(writes) == 0:
		return staged{change: Unchanged}, nil
	}
	switch {
	case known && j.e.IfKnown == Keep:
		return staged{change: Kept}, nil
	case known && j.e.IfKnown == Refuse:
		return staged{}, ErrKnown
	}
	begun, err := g.stageBatch(txn, number, j, change)
	if err != nil {
		return staged{}, err
	}
	return g.stageKeyring(s, number, change, append(append(writes, begun...), g.heldByWrites(s)...))
}

// stageKeyring is a change of the subject that the numbered commit makes: writes, and
// the two entries.
func (g *Gallery) stageKeyring(s keyring.Subject, number uint32, change Change, writes []commit.Write) (staged, error) {
	now := s.Stamp.By(number)
	k, err := g.vault.Seal(s, now)
	if err != nil {
		return staged{}, err
	}
	return staged{change: change, from: s.P, to: s.P, was: s.Stamp, is: now,
		writes: append(writes,
			commit.Write{Key: keyring.Row(s.P), Value: k}, commit.Write{Key: keyring.StampRow(s.P), Value: now.Bytes()})}, nil
}

// stageBatch holds an import to the erasures since it began: what a file said when it
// was made does not undo them, however late the import is resumed. The first commit of
// an import notes that it began.
func (g *Gallery) stageBatch(txn store.Reader, number uint32, j *job, change Change) ([]commit.Write, error) {
	if j.e.Batch == "" {
		return nil, nil
	}
	key := g.batchKey(j.e.Batch)
	v, err := txn.Get(key)
	if errors.Is(err, store.ErrNotFound) {
		return []commit.Write{{Key: key, Value: binary.BigEndian.AppendUint32(nil, number)}}, nil
	}
	if err != nil {
		return nil, err
	}
	if len(v) != 4 {
		return nil, fmt.Errorf("reading batch: %w", ErrDamaged)
	}
	begun := binary.BigEndian.Uint32(v)
	for _, p := range j.who.Pseudonyms() {
		if g.line.ListedSince(p, begun) {
			return nil, ErrErased
		}
	}
	if change == Created && begun < j.who.Keys.Since() {
		// Who was erased before that is on the list under a pseudonym that nobody can compute.
		return nil, fmt.Errorf("%w, or may have been: the pseudonym key was replaced meanwhile; begin a new import", ErrErased)
	}
	return nil, nil
}

// batchKey is where the store notes when an import began.
func (g *Gallery) batchKey(batch string) []byte {
	mac := hmac.New(sha256.New, g.index[:])
	mac.Write([]byte("tamga/v1/gallery-batch\x00"))
	mac.Write([]byte(batch))
	return mac.Sum([]byte("b"))
}

func (g *Gallery) loadOrMake(txn store.Reader, who naming.Named) (keyring.Subject, Change, error) {
	s, err := g.find(txn, who)
	if err == nil {
		return s, Updated, nil
	}
	if !errors.Is(err, ErrUnknownSubject) {
		return keyring.Subject{}, Failed, err
	}
	s, err = g.vault.Make(who.Elements[0], who.Keys.Target())
	if err == nil {
		err = g.mayWrap(txn, s)
	}
	if err != nil {
		s.Wipe()
		return keyring.Subject{}, Failed, fmt.Errorf("making subject key: %w", err)
	}
	return s, Created, nil
}

// protectAll works out what is stored of a job's templates.
func (g *Gallery) protectAll(j *job) error {
	for _, p := range j.stored {
		p.wipe()
	}
	j.stored = j.stored[:0]
	for _, t := range j.e.Templates {
		p, err := g.protect(t)
		if err != nil {
			return err
		}
		j.stored = append(j.stored, p)
	}
	return nil
}

// wipe overwrites what was worked out of templates, once nobody commits it any more.
func wipe(jobs []job) {
	for i := range jobs {
		for _, p := range jobs[i].stored {
			p.wipe()
		}
	}
}

// stageRecords seals the templates that the list does not name yet, and adds them to it, and
// those that it names and the store has not any more.
func (g *Gallery) stageRecords(txn store.Reader, s *keyring.Subject, j *job) ([]commit.Write, error) {
	infos := make([]keyring.Record, len(j.stored))
	places := make([]int, len(j.stored))
	var keys [][]byte
	for i, t := range j.stored {
		digest := sha256.Sum256(t.Data)
		infos[i] = keyring.Record{Modality: t.Modality, Format: t.Format, Position: t.Position, Digest: digest[:],
			Batch: j.e.Batch, Generation: t.generation, Source: t.source}
		if places[i] = s.List.Find(infos[i]); places[i] >= 0 {
			keys = append(keys, g.vault.RecordRow(s.Home(), s.List.Records[places[i]].Slot))
		}
	}
	if err := txn.Fetch(keys...); err != nil {
		return nil, store.Damaged("reading record", err)
	}
	var writes []commit.Write
	for i, t := range j.stored {
		at, n := places[i], len(s.List.Records)
		switch {
		case at >= 0:
			sound, err := g.isSound(txn, s, s.List.Records[at])
			if err != nil {
				return nil, err
			}
			if sound {
				continue
			}
			infos[i].Slot, infos[i].Batch = s.List.Records[at].Slot, s.List.Records[at].Batch
			s.List.Records[at] = infos[i]
		case s.List.Find(infos[i]) >= 0: // the same twice
			continue
		case n == MaxRecords:
			return nil, ErrTooMuch
		default:
			if n > 0 {
				infos[i].Slot = s.List.Records[n-1].Slot + 1
			}
			at, s.List.Records = n, append(s.List.Records, infos[i])
		}
		sealed, err := g.vault.SealRecord(*s, &s.List.Records[at], t.Data)
		if err != nil {
			return nil, err
		}
		writes = append(writes, commit.Write{Key: g.vault.RecordRow(s.Home(), s.List.Records[at].Slot), Value: sealed})
	}
	return writes, nil
}

// isSound reports whether the store has the record that the list names.
func (g *Gallery) isSound(txn store.Reader, s *keyring.Subject, info keyring.Record) (bool, error) {
	sealed, err := txn.Get(g.vault.RecordRow(s.Home(), info.Slot))
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		err = store.Damaged("reading record", err)
		if errors.Is(err, ErrDamaged) { // a block of a table
			return false, nil
		}
		return false, err
	}
	plain, err := g.vault.OpenRecord(*s, info, sealed)
	clear(plain)
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return err == nil, err
}
