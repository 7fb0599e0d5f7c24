package gallery

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"runtime"
	"sync"

	"github.com/tamga-id/tamga/node/gallery/commit"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/naming"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/subjects"
)

// job is an Enrolment with what was worked out before the turn. The change and the result
// belong to who commits it until it is done.
type job struct {
	g      *Gallery
	e      Enrolment
	who    naming.Named
	err    error       // the rule it breaks
	begun  []byte      // the row of its import; nil for none
	stored []protected // what the templates come to; wipe it

	change Change // what Stage came to last
	result *Result
}

var _ subjects.Job = (*job)(nil)

// Before is what the job reads, about what it writes, and what it breaks.
func (j *job) Before() (rows [][]byte, size int, broken error) {
	for _, p := range j.who.Pseudonyms() {
		rows = append(append(rows, keyring.StampRow(p), keyring.Row(p)), j.g.set.Vault.ConsentRows(j.e.Consent, p)...)
	}
	if j.begun != nil {
		rows = append(rows, j.begun)
	}
	return append(rows, j.e.Ground.Reads...), j.e.size(), j.err
}

// Stands has the result say what became of the job.
func (j *job) Stands(err error) {
	*j.result = Result{Change: j.change}
	if err != nil {
		*j.result = Result{Failed, err}
	}
}

// jobs are those that are committed together.
type jobs []*job

func (all jobs) all() []subjects.Job {
	out := make([]subjects.Job, len(all))
	for i, j := range all {
		out[i] = j
	}
	return out
}

// work computes the pseudonyms of jobs, and what their templates come to, on every
// processor.
func (all jobs) work() {
	var working sync.WaitGroup
	workers := min(runtime.GOMAXPROCS(0), len(all))
	for w := range workers {
		working.Go(func() {
			for i := w; i < len(all); i += workers {
				if all[i].err == nil {
					all[i].err = all[i].prepare()
				}
			}
		})
	}
	working.Wait()
}

func (j *job) prepare() (err error) {
	if j.e.Batch != "" {
		j.begun = j.g.batchKey(j.e.Batch)
	}
	if j.who, err = j.g.set.NameOf(j.e.Subject); err != nil {
		return err
	}
	return j.g.protectAll(j)
}

// wipe overwrites what was worked out of templates, once nobody commits it any more.
func (all jobs) wipe() {
	for _, j := range all {
		for _, p := range j.stored {
			p.wipe()
		}
	}
}

// Stage works out what enrolling writes, or the rule that it breaks.
func (j *job) Stage(txn store.Reader, number uint32) (subjects.Staged, error) {
	g := j.g
	if err := g.upToDate(txn, j); err != nil {
		return subjects.Staged{}, err
	}
	if holds := j.e.Ground.Holds; holds != nil {
		if err := holds(txn); err != nil {
			return subjects.Staged{}, err
		}
	}
	if !g.set.IsCurrent(j.who) {
		who, err := g.set.NameOf(j.e.Subject)
		if err != nil {
			return subjects.Staged{}, err
		}
		j.who = who
	}
	s, change, err := g.loadOrMake(txn, j.who)
	if err != nil {
		return subjects.Staged{}, err
	}
	defer s.Wipe()
	if j.e.Holder != "" && s.List.Holder != "" && j.e.Holder != s.List.Holder {
		return subjects.Staged{}, ErrHolderConflict
	}
	if change == Created {
		s.List.Consent = j.e.Consent
	} else if s.List.Consent != j.e.Consent {
		return subjects.Staged{}, ErrGround
	}
	known := change != Created && !s.List.Only(j.e.Batch)
	fresh := change == Created
	if s.List.Holder == "" && j.e.Holder != "" {
		s.List.Holder, s.List.Batch, fresh = j.e.Holder, j.e.Batch, true
	}
	if change != Created {
		found, err := g.set.Vault.Found(txn, s)
		if err != nil {
			return subjects.Staged{}, err
		}
		fresh = fresh || !found
	}
	if j.e.Class != "" && j.e.Class != s.List.Class {
		s.List.Class, fresh = j.e.Class, true
	}
	writes, err := g.stageRecords(txn, &s, j)
	if err != nil {
		return subjects.Staged{}, err
	}
	added := s.List.AddAbsences(j.e.Absences, j.e.Batch)
	switch {
	case len(s.List.Absent) > keyring.MaxAbsences:
		return subjects.Staged{}, ErrTooMuch
	case !fresh && !added && len(writes) == 0:
		j.change = Unchanged
		return subjects.Staged{}, nil
	}
	switch {
	case known && j.e.IfKnown == Keep:
		j.change = Kept
		return subjects.Staged{}, nil
	case known && j.e.IfKnown == Refuse:
		return subjects.Staged{}, ErrKnown
	}
	begun, err := g.stageBatch(txn, number, j, change)
	if err != nil {
		return subjects.Staged{}, err
	}
	j.change = change
	return g.set.Change(s, number, append(writes, begun...))
}

// stageBatch holds an import to the erasures since it began: what a file said when it
// was made does not undo them, however late the import is resumed. The first commit of
// an import notes that it began.
func (g *Gallery) stageBatch(txn store.Reader, number uint32, j *job, change Change) ([]commit.Write, error) {
	if j.e.Batch == "" {
		return nil, nil
	}
	key := j.begun
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
		if g.set.Line.ListedSince(p, begun) {
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
	s, err := g.set.Find(txn, who)
	if err == nil {
		return s, Updated, nil
	}
	if !errors.Is(err, ErrUnknownSubject) {
		return keyring.Subject{}, Failed, err
	}
	s, err = g.set.Vault.Make(who.Elements[0], who.Keys.Target())
	if err == nil {
		err = g.set.MayWrap(txn, s)
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
	if !g.identified {
		return nil
	}
	p, err := identifierOf(j.e.Subject)
	j.stored = append(j.stored, p)
	return err
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
			keys = append(keys, g.set.Vault.RecordRow(s.Home(), s.List.Records[places[i]].Slot))
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
		sealed, err := g.set.Vault.SealRecord(*s, &s.List.Records[at], t.Data)
		if err != nil {
			return nil, err
		}
		writes = append(writes, commit.Write{Key: g.set.Vault.RecordRow(s.Home(), s.List.Records[at].Slot), Value: sealed})
	}
	return writes, nil
}

// isSound reports whether the store has the record that the list names.
func (g *Gallery) isSound(txn store.Reader, s *keyring.Subject, info keyring.Record) (bool, error) {
	sealed, err := txn.Get(g.set.Vault.RecordRow(s.Home(), info.Slot))
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
	plain, err := g.set.Vault.OpenRecord(*s, info, sealed)
	clear(plain)
	if errors.Is(err, ErrDamaged) {
		return false, nil
	}
	return err == nil, err
}
