package gallery

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"

	"github.com/tamga-id/tamga/crypto/pseudonym"
	"github.com/tamga-id/tamga/node/gallery/erasure"
	"github.com/tamga-id/tamga/node/gallery/keyring"
	"github.com/tamga-id/tamga/node/gallery/store"
	"github.com/tamga-id/tamga/node/gallery/tally"
)

// Report is what a check of a whole gallery found. It names nobody.
type Report struct {
	Subjects uint64 // whose keyring was looked at
	Records  uint64 // that open and are in their place
	Damaged  []Damage
	// Missing is how many more subjects were acknowledged than there are. Who they are
	// cannot be told from what is left.
	Missing uint64
	// Stale: some keyrings are not as the last commit that wrote them left them, though
	// none is missing. Which ones cannot be told either.
	Stale bool
	// Behind: the newest commits that were acknowledged are not there.
	Behind bool
	// Faults are those of files. Of a file there may be more than the first.
	Faults []store.Fault
	// Unreadable: the rows could not be looked at, or not to their end.
	Unreadable bool

	carried tally.Tally // what the store has carried out
}

// Damage is something of one subject that is damaged or gone.
type Damage struct {
	Subject string // a handle: the same for the same subject, and nothing that it can be told from without the root key
	Part    string // "keyring", "stamp" or "record"
	Place   uint32 // of a record
}

// Sound reports whether nothing is wrong. A write that a crash cut off, and that nobody was
// told of, is not: whether it was that, the subjects tell.
func (r Report) Sound() bool {
	for _, f := range r.Faults {
		if !f.Torn {
			return false
		}
	}
	return len(r.Damaged) == 0 && r.Missing == 0 && !r.Stale && !r.Behind && !r.Unreadable
}

// Progress is told how far a check is: bytes of files, then subjects.
type Progress func(what string, done, total uint64)

// surveyor is a store that can read its own files.
type surveyor interface {
	Survey(ctx context.Context, progress func(done, total int64)) ([]store.Fault, error)
}

// Fsck reads everything that the open gallery holds, as of one moment, while look-ups and
// changes go on: every file that is not being written, every keyring and every record.
// Damage is no error.
func (g *Gallery) Fsck(ctx context.Context, progress Progress) (Report, error) {
	var r Report
	known := g.commits.Load() // acknowledged before it began
	err := g.view(func(txn store.Reader) (err error) {
		if s, ok := g.db.(surveyor); ok {
			if r.Faults, err = s.Survey(ctx, bytesRead(progress)); err != nil {
				return err
			}
		}
		return g.examine(ctx, txn, &r, tally.Tally{Commit: known}, progress)
	})
	if err == nil {
		err = g.fsckErasures(ctx, &r)
	}
	if err != nil {
		return r, fmt.Errorf("checking gallery: %w", err)
	}
	return r, nil
}

// fsckErasures reads the list of erasures while nobody writes it.
func (g *Gallery) fsckErasures(ctx context.Context, r *Report) error {
	select {
	case g.turn <- struct{}{}:
		defer func() { <-g.turn }()
		return erasuresFault(r, g.erased.Check(r.carried.Erasures, r.carried.Last))
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Fsck does with a gallery in Badger that is not open, and that [Open] may refuse, what
// [Gallery.Fsck] does with an open one. It changes nothing.
func Fsck(ctx context.Context, cfg Config, progress Progress) (Report, error) {
	r, err := fsck(ctx, cfg, progress)
	if err != nil {
		return r, fmt.Errorf("checking gallery: %w", err)
	}
	return r, nil
}

func fsck(ctx context.Context, cfg Config, progress Progress) (r Report, err error) {
	if err := cfg.check(); err != nil {
		return r, err
	}
	if _, err := os.Stat(cfg.Dir); err != nil {
		return r, err
	}
	g := newGallery(cfg)
	known, err := g.readBeside(cfg.Dir, &r)
	if g.beside != nil {
		defer func() { err = errors.Join(err, g.beside.Close()) }()
	}
	if err != nil {
		return r, err
	}
	e, err := store.Examine(ctx, cfg.Dir, bytesRead(progress))
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.Close()) }()
	r.Faults = append(r.Faults, e.Faults...)
	err = e.View(func(txn store.Reader) error { return g.examine(ctx, txn, &r, known, progress) })
	if errors.Is(err, ErrDamaged) {
		r.Unreadable, err = true, nil
	}
	if err != nil {
		return r, err
	}
	return r, g.readErasures(cfg, &r)
}

// readBeside reads the file beside the store, and with it takes the folder.
func (g *Gallery) readBeside(dir string, r *Report) (known tally.Tally, err error) {
	g.beside, err = tally.OpenFileReadOnly(dir)
	if errors.Is(err, os.ErrNotExist) {
		r.Faults = append(r.Faults, store.Fault{Where: "file " + tally.Name, Rule: "missing"})
		return tally.Tally{}, nil
	}
	if err != nil {
		return tally.Tally{}, err
	}
	known, err = g.beside.Read(g.tallies)
	switch {
	case errors.Is(err, ErrDamaged), err == nil && g.beside.Fresh():
		r.Faults = append(r.Faults, store.Fault{Where: "file " + tally.Name, Rule: "damaged, or of other keys"})
		return tally.Tally{}, nil
	case err == nil && g.beside.Torn():
		r.Faults = append(r.Faults, store.Fault{Where: "file " + tally.Name, Rule: "one of its two copies is damaged", Torn: true})
	}
	return known, err
}

// readErasures opens the list of erasures of a gallery that is not open, and reads it.
func (g *Gallery) readErasures(cfg Config, r *Report) (err error) {
	fault := func(rule string) {
		r.Faults = append(r.Faults, store.Fault{Where: "list of erasures", Rule: rule})
	}
	info, err := os.Stat(erasure.File(cfg.Dir))
	if errors.Is(err, os.ErrNotExist) {
		fault("missing")
		return nil
	}
	if err != nil {
		return err
	}
	if uint64(info.Size())/uint64(erasure.Size) < r.carried.Erasures {
		fault(fmt.Sprintf("%d entries are missing from its end", r.carried.Erasures-uint64(info.Size())/uint64(erasure.Size)))
	}
	key, err := erasure.Key(cfg.Root)
	if err != nil {
		return err
	}
	return erasuresFault(r, erasure.Check(erasure.File(cfg.Dir), key, r.carried.Erasures, r.carried.Last))
}

// erasuresFault reports a list of erasures that is damaged.
func erasuresFault(r *Report, err error) error {
	if errors.Is(err, ErrDamaged) {
		r.Faults = append(r.Faults, store.Fault{Where: "list of erasures", Rule: err.Error()})
		return nil
	}
	return err
}

func bytesRead(progress Progress) func(done, total int64) {
	return func(done, total int64) {
		if progress != nil {
			progress("bytes", uint64(done), uint64(total))
		}
	}
}

// examine looks at every row of the subjects, and whether they add up.
func (g *Gallery) examine(ctx context.Context, txn store.Reader, r *Report, known tally.Tally, progress Progress) error {
	stored, err := g.storedTally(txn)
	if err != nil && !errors.Is(err, ErrDamaged) {
		return err
	}
	counted := tally.Tally{Commit: stored.Commit, Erasures: stored.Erasures, Last: stored.Last}
	if err != nil {
		r.Faults = append(r.Faults, store.Fault{Where: "tally in the store", Rule: "damaged, or of other keys"})
		counted.Commit = 0
	}
	r.carried = stored
	for row, err := range txn.Scan([]byte("v"), nil) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if errors.Is(err, ErrUnavailable) {
			return err
		}
		if err != nil {
			r.Unreadable = true
			break
		}
		stamp, err := keyring.ParseStamp(row.Value)
		if err != nil || len(row.Key) != 1+len(pseudonym.Pseudonym{}) {
			r.Unreadable = true
			continue
		}
		counted.Subjects++
		counted.Sum += stamp.Number()
		if err := g.examineSubject(txn, pseudonym.Pseudonym(row.Key[1:]), r); err != nil {
			return err
		}
		if progress != nil && counted.Subjects%512 == 0 {
			progress("subjects", counted.Subjects, max(stored.Subjects, counted.Subjects))
		}
	}
	if err := g.examineKeyrings(ctx, txn, r); err != nil {
		return err
	}
	r.Subjects = counted.Subjects
	if stored.Subjects > counted.Subjects {
		r.Missing = stored.Subjects - counted.Subjects
	}
	r.Stale = r.Missing == 0 && stored != counted
	r.Behind = stored.Commit < known.Commit || stored.Commit == known.Commit && known != (tally.Tally{Commit: known.Commit}) && stored != known
	return nil
}

// examineKeyrings finds those without a stamp.
func (g *Gallery) examineKeyrings(ctx context.Context, txn store.Reader, r *Report) error {
	for row, err := range txn.Scan([]byte("k"), nil) {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err != nil || len(row.Key) != 1+len(pseudonym.Pseudonym{}) {
			r.Unreadable = true
			break
		}
		p := pseudonym.Pseudonym(row.Key[1:])
		_, err := txn.Get(keyring.StampRow(p))
		switch {
		case errors.Is(err, store.ErrNotFound):
			r.Damaged = append(r.Damaged, Damage{Subject: g.handle(p), Part: "stamp"})
		case err != nil:
			return err
		}
	}
	return nil
}

// examineSubject opens everything of a subject, and wipes it.
func (g *Gallery) examineSubject(txn store.Reader, p pseudonym.Pseudonym, r *Report) error {
	s, err := g.load(txn, p)
	switch {
	case errors.Is(err, ErrDamaged), errors.Is(err, ErrUnknownSubject):
		r.Damaged = append(r.Damaged, Damage{Subject: g.handle(p), Part: "keyring"})
		return nil
	case err != nil:
		return err
	}
	defer s.Wipe()
	for _, info := range s.List.Records {
		sealed, err := txn.Get(g.vault.RecordRow(s.Home(), info.Slot))
		if errors.Is(err, ErrUnavailable) || errors.Is(err, ErrClosed) {
			return err
		}
		plain, err := g.vault.OpenRecord(s, info, sealed)
		switch {
		case errors.Is(err, ErrDamaged), err == nil && !g.holds(info): // a record without its secret compares with nothing
			r.Damaged = append(r.Damaged, Damage{Subject: g.handle(p), Part: "record", Place: info.Slot})
		case err != nil:
			return err
		default:
			r.Records++
		}
		clear(plain)
	}
	return nil
}

// handle tells subjects apart in a report.
func (g *Gallery) handle(p pseudonym.Pseudonym) string {
	mac := hmac.New(sha256.New, g.index[:])
	mac.Write([]byte("tamga/v1/gallery-handle\x00"))
	mac.Write(p[:])
	return hex.EncodeToString(mac.Sum(nil)[:10])
}
