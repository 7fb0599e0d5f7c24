package gallery

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"
	"github.com/fxamacker/cbor/v2"

	"github.com/tamga-id/tamga/crypto/envelope"
	"github.com/tamga-id/tamga/crypto/pseudonym"
)

// Change says what enrolling one Enrolment did.
type Change string

// What an enrolment can do. A failed one changed nothing.
const (
	Created   Change = "created"   // a new subject
	Updated   Change = "updated"   // records or a holder key added to a known subject
	Unchanged Change = "unchanged" // everything was there already
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
	ErrNothing        = errors.New("the enrolment carries no record")
)

// maxCommit bounds one transaction well below Badger's limit of 15 % of a
// memtable; maxSubject keeps any one subject inside it.
const (
	maxCommit  = 1 << 20
	maxSubject = 512 << 10
)

// Enrol stores a batch in as few synced commits as it fits into; a result other
// than Failed stands on disk. An Enrolment that breaks a rule changes nothing and
// the others are stored. When the disk fails, err is not nil and the results say
// which enrolments stand: those of earlier commits.
func (g *Gallery) Enrol(ctx context.Context, batch []Enrolment) ([]Result, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	results := make([]Result, len(batch))
	for i := range results {
		results[i] = Result{Change: Failed, Err: errors.New("not reached")}
	}
	for start := 0; start < len(batch); {
		if err := ctx.Err(); err != nil {
			return results, fmt.Errorf("enrolling: %w", err)
		}
		end, size := start, 0
		for end < len(batch) && (end == start || size+batch[end].size() <= maxCommit) {
			size += batch[end].size()
			end++
		}
		if err := g.commit(batch[start:end], results[start:end]); err != nil {
			return results, fmt.Errorf("enrolling: %w", err)
		}
		start = end
	}
	return results, nil
}

func (e Enrolment) size() int {
	n := 512
	for _, t := range e.Templates {
		n += len(t.Data) + 256
	}
	return n
}

// commit stores one transaction's worth. Results are written only after the sync.
func (g *Gallery) commit(batch []Enrolment, results []Result) error {
	txn := g.db.NewTransaction(true)
	defer txn.Discard()
	staged := make([]Result, len(batch))
	var created int64
	for i, e := range batch {
		change, writes, err := g.stage(txn, e)
		if errors.Is(err, ErrDamaged) {
			return err
		}
		if err != nil {
			staged[i] = Result{Failed, err}
			continue
		}
		for _, w := range writes {
			if err := txn.Set(w.key, w.value); err != nil {
				return fmt.Errorf("staging subject: %v", err)
			}
		}
		staged[i] = Result{Change: change}
		if change == Created {
			created++
		}
	}
	if err := txn.Commit(); err != nil {
		return fmt.Errorf("committing: %v", err)
	}
	copy(results, staged)
	g.subjects.Add(created)
	return nil
}

type write struct{ key, value []byte }

// stage works out what enrolling e writes, or the rule it breaks. It reads through
// txn, so that a subject may occur twice in a batch.
func (g *Gallery) stage(txn *badger.Txn, e Enrolment) (Change, []write, error) {
	if err := e.check(); err != nil {
		return Failed, nil, err
	}
	p, err := g.pseudonyms.Pseudonym(e.Subject)
	if err != nil {
		return Failed, nil, err
	}
	dek, m, wrapped, change, err := g.loadOrMake(txn, p)
	if err != nil {
		return Failed, nil, err
	}
	defer dek.Wipe()
	if e.Holder != "" && m.Holder != "" && e.Holder != m.Holder {
		return Failed, nil, ErrHolderConflict
	}
	fresh := change == Created
	if m.Holder == "" && e.Holder != "" {
		m.Holder, fresh = e.Holder, true
	}
	writes, err := g.stageRecords(p, dek, &m, e.Templates)
	if err != nil {
		return Failed, nil, err
	}
	if !fresh && len(writes) == 0 {
		return Unchanged, nil, nil
	}
	k, err := g.sealKeyring(p, dek, m, wrapped)
	if err != nil {
		return Failed, nil, err
	}
	return change, append(writes, write{keyringKey(p), k}), nil
}

func (e Enrolment) check() error {
	if len(e.Templates) == 0 {
		return ErrNothing
	}
	if len(e.Templates) > MaxRecords || e.size() > maxSubject {
		return ErrTooMuch
	}
	for _, t := range e.Templates {
		if len(t.Data) == 0 || len(t.Data) > MaxRecordSize {
			return ErrTooMuch
		}
	}
	return nil
}

func (g *Gallery) loadOrMake(txn *badger.Txn, p pseudonym.Pseudonym) (envelope.DEK, manifest, []byte, Change, error) {
	dek, m, err := g.load(txn, p)
	if err == nil {
		item, err := txn.Get(keyringKey(p))
		if err != nil {
			return dek, m, nil, Failed, fmt.Errorf("reading keyring: %w", ErrDamaged)
		}
		var k keyring
		err = item.Value(func(v []byte) error { return cbor.Unmarshal(v, &k) })
		return dek, m, k.DEK, Updated, err
	}
	if !errors.Is(err, ErrUnknownSubject) {
		return dek, m, nil, Failed, err
	}
	dek, wrapped, err := g.ring.NewDEK(p[:])
	if err != nil {
		return dek, m, nil, Failed, fmt.Errorf("making subject key: %w", err)
	}
	return dek, manifest{}, wrapped, Created, nil
}

// stageRecords seals the templates that m does not list yet and lists them.
func (g *Gallery) stageRecords(p pseudonym.Pseudonym, dek envelope.DEK, m *manifest, ts []Template) ([]write, error) {
	var writes []write
	for _, t := range ts {
		digest := sha256.Sum256(t.Data)
		if m.has(t, digest[:]) {
			continue
		}
		if len(m.Records) == MaxRecords {
			return nil, ErrTooMuch
		}
		slot := uint32(0)
		if n := len(m.Records); n > 0 {
			slot = m.Records[n-1].Slot + 1
		}
		sealed, err := dek.Seal(g.aad(p, t.Modality, t.Format, dek.Generation()), t.Data)
		if err != nil {
			return nil, fmt.Errorf("sealing record: %w", err)
		}
		m.Records = append(m.Records, recordInfo{Slot: slot, Modality: t.Modality, Format: t.Format, Position: t.Position, Digest: digest[:], KeyGen: dek.Generation()})
		writes = append(writes, write{g.recordKey(p, slot), sealed})
	}
	return writes, nil
}

func (m *manifest) has(t Template, digest []byte) bool {
	for _, r := range m.Records {
		if r.Modality == t.Modality && r.Format == t.Format && r.Position == t.Position && bytes.Equal(r.Digest, digest) {
			return true
		}
	}
	return false
}

func (g *Gallery) sealKeyring(p pseudonym.Pseudonym, dek envelope.DEK, m manifest, wrapped []byte) ([]byte, error) {
	plain, err := cbor.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding record list: %w", err)
	}
	defer clear(plain)
	sealed, err := dek.Seal(g.manifestAAD(p, dek), plain)
	if err != nil {
		return nil, fmt.Errorf("sealing record list: %w", err)
	}
	return cbor.Marshal(keyring{DEK: wrapped, Sealed: sealed})
}
